// Addresses as people read them: symbol+0x1c.
#pragma once

#include <optional>
#include <string>

#include "ktstr/kernel/guest_kernel.h"

namespace ktstr {

// `symbol+0x…` for an address in the kernel's text; nothing for any other address.
std::optional<std::string> SymbolizeText(const GuestKernel& kernel, Kva kva);

}  // namespace ktstr
