// The registers of a virtual CPU, all of them, as the archive has them.
#pragma once

#include <optional>
#include <string>

#include "libcore/memory/vcpu.h"

namespace ktstr {

// For people: some lines, `at` (the symbol of its instruction pointer) in the first.
std::string RegisterText(const VcpuRegisters& vcpu, const std::optional<std::string>& at);
// An object: registers by name as "0x…", segments and descriptor tables as objects.
std::string RegisterJson(const VcpuRegisters& vcpu, const std::optional<std::string>& at);

}  // namespace ktstr
