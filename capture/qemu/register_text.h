// What QEMU's monitor says of registers ("info registers -a"), which it does without stopping the
// guest.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "libcore/memory/vcpu.h"

namespace ktstr {

// The part of each CPU, in order.
std::vector<std::string_view> SplitByCpu(std::string_view text);

// A register of one CPU's part, by its name there ("RDI=", "IDT=": of a descriptor table, its
// base).
std::optional<uint64_t> RegisterIn(std::string_view part, std::string_view name);

// The vCPUs; only the registers that lead to the kernel's page tables are filled in. What is no
// such answer has no vCPUs.
std::vector<VcpuRegisters> ParseRegisterText(std::string_view text);

}  // namespace ktstr
