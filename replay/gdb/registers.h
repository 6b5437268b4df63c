// The registers of an x86-64 CPU as gdb numbers and describes them: its own features, by the names
// that it asks for, and one of ours for those of the system.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/memory/vcpu.h"

namespace ktstr {

// By gdb's number; nothing for a register that is not known, which gdb shows as <unavailable>.
using GdbRegisterValues = std::vector<std::optional<uint64_t>>;

size_t GdbRegisterCount();

// All that an archive keeps of a vCPU, and knows: not those of x87 and SSE.
GdbRegisterValues GdbValuesOf(const VcpuRegisters& vcpu);

// Of registers that a kernel saved when it crashed: general ones, rip, flags, selectors, GS.
GdbRegisterValues GdbValuesOfCrash(const VcpuRegisters& saved);

// Sets the register of that name, of a set that GdbNoValues() or GdbValuesOf() made.
GdbRegisterValues GdbNoValues();
void SetGdbRegister(GdbRegisterValues& values, std::string_view name, uint64_t value);

// The value of register `number` in hexadecimal, in the machine's order of bytes, as wide as it is;
// 'x' for each digit of one that is not known. `number` must be below GdbRegisterCount().
std::string GdbRegisterHex(const GdbRegisterValues& values, size_t number);
// All of them, as the packet g has them.
std::string GdbRegistersHex(const GdbRegisterValues& values);

// The description by which gdb knows all this ("Target Descriptions" in its manual).
const std::string& GdbTargetXml();

}  // namespace ktstr
