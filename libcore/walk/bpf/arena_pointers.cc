#include "libcore/walk/bpf/arena_pointers.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/base/nearest_word.h"
#include "libcore/walk/bpf/map_type.h"
#include "libcore/walk/bpf/objects.h"

namespace ktstr {

namespace {

constexpr uint64_t kKernelHalf = uint64_t{1} << 63;

tl::unexpected<Error> NotMapped(Kva pointer) {
  return Fail(ErrorCode::kUnmapped,
              fmt::format("{:#x} is no address of the kernel's, and no BPF arena has a page there",
                          pointer.value()));
}

}  // namespace

ArenaPointers::ArenaPointers(const Walk& walk) : kernel_(&walk.kernel) {
  const Fields map(walk, "bpf_map");
  const MaybeMember type = map.Maybe("map_type"), max_entries = map.Maybe("max_entries"),
                    name = map.Maybe("name");
  const BpfArenas arenas(walk);
  for (const BpfObject& object : ListBpfMaps(walk)) {
    CellReader reader(walk, object.kva, "a BPF map");
    if (reader.Integer(type) != static_cast<int64_t>(BpfMapType::kArena)) continue;
    const auto pages = reader.Unsigned(max_entries);
    const auto arena = pages ? arenas.At(object.id, object.kva, *pages) : std::nullopt;
    if (!arena) continue;
    arenas_.push_back(*arena);
    names_.push_back(reader.Text(name).value_or(""));
  }
}

Result<Kva> ArenaPointers::Resolve(Kva pointer) const {
  if (pointer.value() >= kKernelHalf) return pointer;
  const auto found = Having(pointer.value());
  if (found.empty()) return NotMapped(pointer);
  if (found.size() == 1) return found[0]->KernelAddress(pointer.value());
  return Fail(
      ErrorCode::kAmbiguous,
      fmt::format("{:#x} lies in the arenas of maps {} and {}: say which by arena(map, {:#x})",
                  pointer.value(), found[0]->map_id, found[1]->map_id, pointer.value()));
}

std::vector<const BpfArena*> ArenaPointers::Having(uint64_t pointer) const {
  std::vector<const BpfArena*> found;
  for (const BpfArena& arena : arenas_) {
    const bool has = arena.begin != 0 && arena.Contains(pointer) &&
                     kernel_->Translate(arena.KernelAddress(pointer));
    if (has) found.push_back(&arena);
  }
  return found;
}

const BpfArena* ArenaPointers::ArenaOf(uint64_t pointer) const {
  const auto found = Having(pointer);
  return found.size() == 1 ? found[0] : nullptr;
}

Result<int64_t> ArenaPointers::IdOf(const std::string& map) const {
  const auto found = std::ranges::find(names_, map);
  if (found == names_.end()) {
    const std::vector<std::string_view> names(names_.begin(), names_.end());
    return Fail(ErrorCode::kNotFound, UnknownWord("arena", map, names));
  }
  if (std::find(found + 1, names_.end(), map) != names_.end()) {
    return Fail(ErrorCode::kAmbiguous,
                fmt::format("several arenas have the name '{}': say the map's id", map));
  }
  return arenas_[static_cast<size_t>(found - names_.begin())].map_id;
}

Result<Kva> ArenaPointers::ResolveIn(int64_t map_id, Kva pointer) const {
  const auto arena = std::ranges::find(arenas_, map_id, &BpfArena::map_id);
  if (arena == arenas_.end()) {
    return Fail(ErrorCode::kNotFound, fmt::format("BPF map {} is no arena", map_id));
  }
  // The low 32 bits count (kernel/bpf/arena.c).
  const uint64_t offset = (pointer.value() - arena->begin) & 0xffffffff;
  const Kva kva = arena->kernel_begin + offset;
  if (offset >= arena->bytes || !kernel_->Translate(kva)) return NotMapped(pointer);
  return kva;
}

}  // namespace ktstr
