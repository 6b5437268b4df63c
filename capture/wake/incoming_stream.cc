#include "capture/wake/incoming_stream.h"

#include <fmt/format.h>

#include "libcore/qemu/device_sections.h"

namespace ktstr {

namespace {

constexpr size_t kFileHeader = 8;          // "QEVM", version
constexpr std::byte kConfiguration{0x07};  // QEMU_VM_CONFIGURATION

}  // namespace

Result<std::vector<std::byte>> IncomingStream(std::span<const std::byte> device_state,
                                              std::string_view machine_type) {
  if (const auto sections = SplitDeviceState(device_state); !sections) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the archive's device state is not of the form that can be woken ({}): "
                            "it was captured by another version of this program",
                            sections.error().ToString()));
  }
  const auto header = device_state.first(kFileHeader), rest = device_state.subspan(kFileHeader);
  std::vector<std::byte> stream(header.begin(), header.end());
  stream.push_back(kConfiguration);
  for (int shift = 24; shift >= 0; shift -= 8) {
    stream.push_back(std::byte(machine_type.size() >> shift & 0xff));
  }
  for (const char c : machine_type) stream.push_back(std::byte(c));
  stream.insert(stream.end(), rest.begin(), rest.end());
  return stream;
}

}  // namespace ktstr
