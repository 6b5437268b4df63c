#include "capture/qemu/qmp_address.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>

namespace ktstr {

namespace {

bool IsPort(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
}

// "HOST:PORT"; nothing in `port` when it is none.
QmpAddress HostAndPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == text.npos || !IsPort(text.substr(colon + 1))) return {};
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {.host = host.empty() ? "localhost" : std::string(host),
          .port = std::string(text.substr(colon + 1))};
}

}  // namespace

Result<QmpAddress> ParseQmpAddress(std::string_view text) {
  constexpr std::string_view kUnix = "unix:", kTcp = "tcp:", kLibvirt = "libvirt:";
  const std::string_view whole = text;
  // The options are QEMU's; a path without "unix:" may have a comma of its own.
  const auto without_options = [](std::string_view part) { return part.substr(0, part.find(',')); };
  if (text.starts_with(kUnix)) {
    return QmpAddress{.path = std::string(without_options(text.substr(kUnix.size())))};
  }
  if (text.starts_with(kLibvirt)) {
    return QmpAddress{.domain = std::string(text.substr(kLibvirt.size()))};
  }
  if (text.starts_with(kTcp)) {
    QmpAddress address = HostAndPort(without_options(text.substr(kTcp.size())));
    if (!address.port.empty()) return address;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no tcp:HOST:PORT with a port in decimal", whole));
  }
  std::error_code ignored;
  if (text.find('/') == text.npos && !std::filesystem::exists(text, ignored)) {
    QmpAddress address = HostAndPort(without_options(text));
    if (!address.port.empty()) return address;
  }
  return QmpAddress{.path = std::string(text)};
}

}  // namespace ktstr
