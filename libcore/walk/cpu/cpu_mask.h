// struct cpumask and node masks, as the lists that people read: "0-3,8".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// Bit n of the mask is bit n % 64 of word n / 64.
using CpuMask = std::vector<uint64_t>;

bool Contains(const CpuMask& mask, uint32_t cpu);
// The set bits as ranges; empty for an empty mask.
std::string ToList(const CpuMask& mask);
// Clears every bit from `bits` on; the mask has as many words as `bits` need.
void KeepBits(CpuMask& mask, uint32_t bits);
// Reads the first `bits` bits of a mask. Errors: those of GuestKernel::Read.
Result<CpuMask> ReadCpuMask(const GuestKernel& kernel, Kva kva, uint32_t bits);

}  // namespace ktstr
