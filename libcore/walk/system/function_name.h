// The name of what a function pointer points to.
#pragma once

#include <optional>
#include <string>

#include "libcore/walk/code/text_symbols.h"

namespace ktstr {

// `symbol`, in a module `symbol [module]`; with an offset where it does not point to a symbol's
// begin. Nothing for an address that is no text.
std::optional<std::string> FunctionName(TextSymbols& text, Kva function);

}  // namespace ktstr
