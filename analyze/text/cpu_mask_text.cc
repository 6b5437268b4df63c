#include "analyze/text/cpu_mask_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "libcore/base/safe_text.h"

namespace ktstr {

Result<std::string> CpuMaskText(const std::string& list, int64_t cpus) {
  const auto bad = [&] {
    return Fail(ErrorCode::kDamaged, fmt::format("'{}' is no list of CPUs", SafeText(list)));
  };
  constexpr int64_t kMostCpus = 1 << 16, kChunk = 32;
  if (cpus < 1 || cpus > kMostCpus) {
    return Fail(ErrorCode::kDamaged, fmt::format("{} is no number of CPUs", cpus));
  }
  std::vector<uint32_t> chunks(static_cast<size_t>((cpus + kChunk - 1) / kChunk));
  for (const char *at = list.data(), *end = at + list.size(); at < end;) {
    int64_t first = 0, last = 0;
    auto read = std::from_chars(at, end, first);
    if (read.ec != std::errc()) return bad();
    last = first;
    if (read.ptr < end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, last);
    if (read.ec != std::errc() || first < 0 || (read.ptr < end && *read.ptr != ',')) return bad();
    // Masks may have bits for CPUs that the machine cannot have, which the kernel does not print.
    for (int64_t cpu = first; cpu <= std::min(last, cpus - 1); ++cpu) {
      chunks[static_cast<size_t>(cpu / kChunk)] |= 1u << (cpu % kChunk);
    }
    at = read.ptr + 1;
  }
  const auto digits = ((cpus - 1) % kChunk) / 4 + 1;
  std::string text = fmt::format("{:0{}x}", chunks.back(), digits);
  for (size_t i = chunks.size() - 1; i-- > 0;) text += fmt::format(",{:08x}", chunks[i]);
  return text;
}

}  // namespace ktstr
