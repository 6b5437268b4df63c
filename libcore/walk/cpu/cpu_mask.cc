#include "libcore/walk/cpu/cpu_mask.h"

#include <fmt/format.h>

namespace ktstr {

bool Contains(const CpuMask& mask, uint32_t cpu) {
  return cpu / 64 < mask.size() && ((mask[cpu / 64] >> (cpu % 64)) & 1) != 0;
}

std::string ToList(const CpuMask& mask) {
  std::string list;
  const auto bits = static_cast<uint32_t>(mask.size() * 64);
  for (uint32_t first = 0; first < bits; ++first) {
    if (!Contains(mask, first)) continue;
    uint32_t last = first;
    while (Contains(mask, last + 1)) ++last;
    if (!list.empty()) list += ',';
    list += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
    first = last;
  }
  return list;
}

void KeepBits(CpuMask& mask, uint32_t bits) {
  if (bits % 64 != 0) mask.back() &= (uint64_t{1} << (bits % 64)) - 1;
}

Result<CpuMask> ReadCpuMask(const GuestKernel& kernel, Kva kva, uint32_t bits) {
  CpuMask mask((bits + 63) / 64);
  KTSTR_TRY(kernel.Read(kva, std::as_writable_bytes(std::span(mask))));
  KeepBits(mask, bits);
  return mask;
}

}  // namespace ktstr
