// Addresses as people read them: symbol+0x1c.
#pragma once

#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/text_symbols.h"

namespace ktstr {

// `symbol+0x…` for an address in the kernel's text, its modules' (followed by ` [module]`) or in
// code that it generated; nothing for any other address.
std::optional<std::string> SymbolizeText(TextSymbols& text, Kva kva);
// The same where only one or two addresses are asked for: reads the lists of text each time.
std::optional<std::string> SymbolizeText(const GuestKernel& kernel, Kva kva);
// The same for data of the kernel's image as well (not of modules, not per-CPU).
std::optional<std::string> SymbolizeAddress(const GuestKernel& kernel, TextSymbols& text, Kva kva);

}  // namespace ktstr
