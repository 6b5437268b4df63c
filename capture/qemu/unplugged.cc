#include "capture/qemu/unplugged.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <optional>

#include "capture/qemu/json_access.h"

namespace ktstr {

namespace {

// The device's state begins with what the destination of a migration has to have as well:
//
//   addr u64, region_size u64, block_size u64, node u32     (vmstate_virtio_mem_sanity_checks)
//
// big-endian, as all numbers are. Then come usable_region_size, size and requested_size, or in the
// part that newer machine types send early (vmstate_virtio_mem_device_early) size alone, and the
// bitmap: a bit per block, from the lowest of each u64 on.
constexpr size_t kHead = 3 * 8 + 4;

uint64_t BigEndian(std::span<const std::byte> bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | uint64_t(bytes[at + i]);
  return value;
}

std::vector<std::byte> HeadOf(const VirtioMemDevice& device) {
  std::vector<std::byte> head;
  for (const uint64_t value : {device.begin.value(), device.max_size, device.block_size}) {
    for (int shift = 56; shift >= 0; shift -= 8) head.push_back(std::byte(value >> shift & 0xff));
  }
  return head;
}

using Bitmap = std::vector<uint64_t>;

std::optional<Bitmap> BitmapAt(const VirtioMemDevice& device, std::span<const std::byte> state,
                               size_t size_at, size_t bitmap_at) {
  const uint64_t blocks = device.max_size / device.block_size;
  const uint64_t words = (blocks + 63) / 64;
  if (bitmap_at > state.size() || (state.size() - bitmap_at) / 8 < words) return std::nullopt;
  if (BigEndian(state, size_at) != device.size) return std::nullopt;
  Bitmap bitmap;
  uint64_t plugged = 0;
  for (uint64_t i = 0; i < words; ++i) {
    bitmap.push_back(BigEndian(state, bitmap_at + i * 8));
    plugged += uint64_t(std::popcount(bitmap.back()));
  }
  return plugged * device.block_size == device.size ? std::optional(bitmap) : std::nullopt;
}

std::optional<Bitmap> FindBitmap(const VirtioMemDevice& device, std::span<const std::byte> state) {
  const std::vector<std::byte> head = HeadOf(device);
  for (auto at = state.begin();; ++at) {
    at = std::search(at, state.end(), head.begin(), head.end());
    if (at == state.end()) return std::nullopt;
    const size_t behind = size_t(at - state.begin()) + kHead;
    if (behind + 3 * 8 > state.size()) return std::nullopt;
    if (auto bitmap = BitmapAt(device, state, behind + 8, behind + 24)) return bitmap;
    if (auto bitmap = BitmapAt(device, state, behind, behind + 8)) return bitmap;
  }
}

// The blocks that are not set.
void AddBlocks(const VirtioMemDevice& device, const Bitmap& bitmap,
               std::vector<MemoryRegion>& regions) {
  const uint64_t pages = device.block_size / kPageSize;
  const Pfn begin = Pfn::Of(device.begin);
  for (uint64_t block = 0; block < device.max_size / device.block_size; ++block) {
    if ((bitmap[block / 64] >> block % 64 & 1) != 0) continue;
    const MemoryRegion region = {begin + block * pages, begin + (block + 1) * pages};
    if (!regions.empty() && regions.back().end == region.begin) {
      regions.back().end = region.end;
    } else {
      regions.push_back(region);
    }
  }
}

}  // namespace

Unplugged FindUnplugged(std::span<const VirtioMemDevice> devices,
                        std::span<const std::byte> device_state) {
  Unplugged found;
  for (const VirtioMemDevice& device : devices) {
    if (device.block_size < kPageSize || device.block_size % kPageSize != 0) continue;
    const uint64_t words = (device.max_size / device.block_size + 63) / 64;
    if (device.size == device.max_size) continue;
    const auto bitmap =
        device.size == 0 ? std::optional(Bitmap(words)) : FindBitmap(device, device_state);
    if (bitmap) {
      AddBlocks(device, *bitmap, found.regions);
    } else {
      found.unknown.push_back(device.id);
    }
  }
  std::ranges::sort(found.regions, {}, &MemoryRegion::begin);
  return found;
}

Result<std::vector<VirtioMemDevice>> VirtioMemDevices(QmpClient& qmp) {
  std::vector<VirtioMemDevice> devices;
  const nlohmann::json answer = KTSTR_TRY(qmp.Execute("query-memory-devices"));
  const auto strange = [&] { return StrangeAnswer(qmp.name(), "query-memory-devices", answer); };
  if (!answer.is_array()) return Fail(strange());
  for (const auto& entry : answer) {
    const nlohmann::json* data = JsonMember(entry, "data");
    const std::string type = StringMember(entry, "type");
    if (type.empty() || data == nullptr) return Fail(strange());
    if (type != "virtio-mem") continue;
    const auto number = [&](const char* name) {
      return static_cast<uint64_t>(IntegerMember(*data, name).value_or(0));
    };
    VirtioMemDevice device = {.id = StringMember(*data, "id"),
                              .begin = Pa(number("memaddr")),
                              .max_size = number("max-size"),
                              .size = number("size"),
                              .block_size = number("block-size")};
    if (device.id.empty()) device.id = StringMember(*data, "memdev");
    devices.push_back(std::move(device));
  }
  return devices;
}

}  // namespace ktstr
