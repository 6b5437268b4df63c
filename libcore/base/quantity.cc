#include "libcore/base/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace ktstr {

Result<std::chrono::microseconds> ParseDuration(std::string_view text) {
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}, {"h", 3600e6}, {"d", 86400e6}};
  double number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(rest, size_t(text.data() + text.size() - rest));
  for (const auto& [name, us] : kUnits) {
    if (error != std::errc() || unit != name || number < 0 || number * us > 1e15) continue;
    return std::chrono::microseconds(int64_t(number * us + 0.5));
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("'{}' is no duration: write 250ms, 1.5s, 2min and the like", text));
}

std::string FormatDuration(std::chrono::nanoseconds duration) {
  const double ms = double(duration.count()) / 1e6;
  if (ms >= 1000) return fmt::format("{:.3f} s", ms / 1000);
  return ms >= 10 ? fmt::format("{:.0f} ms", ms) : fmt::format("{:.1f} ms", ms);
}

Result<uint64_t> ParseSize(std::string_view text) {
  uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string_view unit(rest, size_t(end - rest));
  int shift = 0;
  if (!unit.empty()) {
    if (unit.front() == ' ') unit.remove_prefix(1);
    const size_t letter = std::string_view("KMGTkmgt").find(unit.substr(0, 1));
    const bool binary = unit.size() == 1 || (unit.size() == 3 && unit.ends_with("iB"));
    shift = letter == std::string_view::npos || !binary ? -1 : 10 * (int(letter % 4) + 1);
  }
  if (error != std::errc() || shift < 0 || number > (UINT64_MAX >> shift)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no size: write bytes, or 512M, 4 GiB and the like", text));
  }
  return number << shift;
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
  return fmt::format("{:.4g} {}", value, unit);
}

}  // namespace ktstr
