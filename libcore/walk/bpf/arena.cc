#include "libcore/walk/bpf/arena.h"

#include "libcore/walk/bpf/map_members.h"

namespace ktstr {

namespace {
// The kernel's area is 4 GiB with GUARD_SZ (0x10000) around it, half of it before.
constexpr uint64_t kGuardBefore = 0x8000;
constexpr uint64_t kLow32 = 0xffffffff;
}  // namespace

std::optional<BpfArena> BpfArenas::At(int64_t map_id, Kva map, uint64_t max_entries) const {
  if (!arena_.begin || !arena_.area || !area_.address) return std::nullopt;
  BpfArena arena = {.map_id = map_id, .map = map, .container = ContainerOf(map, arena_.map)};
  CellReader members(walk_, arena.container, "a BPF arena");
  const auto begin = members.Unsigned(arena_.begin);
  const auto area = members.Pointer(arena_.area);
  if (!begin || !area || area->is_null()) return std::nullopt;
  const auto address = CellReader(walk_, *area, "a BPF arena's memory").Pointer(area_.address);
  if (!address) return std::nullopt;
  arena.begin = *begin;
  // It is 4 GiB at most, and does not cross a multiple of them (arena_map_alloc).
  arena.bytes = std::min(max_entries * kPageSize, kLow32 + 1 - (*begin & kLow32));
  arena.kernel_begin = *address + kGuardBefore + (*begin & kLow32);
  return arena;
}

}  // namespace ktstr
