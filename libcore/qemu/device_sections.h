// Takes the device state that QEMU saves apart into its devices: a section each, from its header to
// its footer (migration/savevm.c, qemu_save_device_state() and save_section_header() in QEMU's
// sources).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

struct DeviceSection {
  std::string_view name;  // such as "cpu" or "0000:00:1f.2/ich9_ahci"
  uint32_t instance = 0;
  uint32_t version = 0;                 // of the contents' layout
  std::span<const std::byte> contents;  // big-endian numbers, as the device has them
};

// All sections, in the stream's order; views into `stream`. How long a section is stands nowhere:
// it ends at the first footer of its own number that another section or the stream's end follows.
// The stream is taken as hostile, since it holds buffers that the guest has filled. Errors:
// kDamaged when it is no such stream, is truncated, or two sections are of one device.
Result<std::vector<DeviceSection>> SplitDeviceState(std::span<const std::byte> stream);

}  // namespace ktstr
