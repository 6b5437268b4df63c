#include "libcore/kernel/tried_kernels.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace ktstr {

std::optional<std::string> NewerThanTried(std::string_view release) {
  int major = 0, minor = 0;
  const char* const end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc()) return std::nullopt;
  if (std::pair(major, minor) <= std::pair(kNewestTriedMajor, kNewestTriedMinor)) {
    return std::nullopt;
  }
  return fmt::format("kernel {} is newer than this program was tried with ({}.{})", release,
                     kNewestTriedMajor, kNewestTriedMinor);
}

}  // namespace ktstr
