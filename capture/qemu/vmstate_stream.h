// Takes QEMU's migration stream apart into its devices, by the JSON description that the stream
// itself ends with (migration/savevm.c and migration/vmstate.c in QEMU's sources).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// The state of one device, as it lies in the stream.
struct DeviceSection {
  std::string name;  // such as "cpu" or "0000:00:1f.2/ich9_ahci"
  uint32_t instance = 0;
  // Its integers of 1 to 8 bytes by path: "env.eip", "env.regs[3]", "env.segs[1].base". Fields of
  // subsections are there under the same kind of path.
  std::map<std::string, uint64_t, std::less<>> fields;
};

// The devices whose names are in `wanted`, in the stream's order. The stream is taken as hostile:
// every size in it is checked. Errors: kDamaged when the stream is truncated or contradicts its
// description, kUnsupported when it carries no description.
Result<std::vector<DeviceSection>> ParseDeviceSections(std::span<const std::byte> stream,
                                                       std::span<const std::string_view> wanted);

}  // namespace ktstr
