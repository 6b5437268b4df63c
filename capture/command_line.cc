#include "ktstr/capture/command_line.h"

#include <fmt/format.h>

#include <charconv>

namespace ktstr {

Result<uint64_t> ParseSize(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  int shift = 0;
  if (error == std::errc() && rest != end) {
    const size_t suffix = std::string_view("KMGTkmgt").find(*rest);
    shift = suffix == std::string_view::npos || rest + 1 != end ? -1 : 10 * (int(suffix % 4) + 1);
  }
  if (error != std::errc() || shift < 0 || number > (UINT64_MAX >> shift)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no size: write bytes, or 512M, 4G and the like", text));
  }
  return number << shift;
}

Result<std::map<std::string, std::string>> ParseTags(const std::vector<std::string>& tags) {
  std::map<std::string, std::string> parsed;
  for (const std::string& tag : tags) {
    const size_t equals = tag.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no tag: write KEY=VALUE", tag));
    }
    parsed[tag.substr(0, equals)] = tag.substr(equals + 1);
  }
  return parsed;
}

std::string FormatSize(uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  double value = double(bytes) / 1024;
  const char* unit = "KiB";
  for (const char* next : {"MiB", "GiB", "TiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

}  // namespace ktstr
