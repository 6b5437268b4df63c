// Pointers that BPF programs keep: the kernel's addresses, and addresses in arenas, which are those
// of user space.
#pragma once

#include <string>
#include <vector>

#include "libcore/walk/bpf/arena.h"
#include "libcore/walk/row/pointer_space.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

class ArenaPointers : public PointerSpace {
 public:
  explicit ArenaPointers(const Walk& walk);

  // Whether there are no arenas.
  bool empty() const { return arenas_.empty(); }

  // Two programs can have mapped their arenas at the same addresses: where several arenas have
  // pages there, which is meant is not known. Errors: kUnmapped, kAmbiguous.
  Result<Kva> Resolve(Kva pointer) const override;

  // The map of that name that is an arena. Errors: kNotFound with the nearest name, kAmbiguous.
  Result<int64_t> IdOf(const std::string& map) const;

  // The one arena that has a page there; null when none has, or several.
  const BpfArena* ArenaOf(uint64_t pointer) const;

  // The same in the arena of one map. Errors: kNotFound (it is no arena), kUnmapped.
  Result<Kva> ResolveIn(int64_t map_id, Kva pointer) const;

 private:
  // Those that have a page at that address.
  std::vector<const BpfArena*> Having(uint64_t pointer) const;

  const GuestKernel* kernel_;
  std::vector<BpfArena> arenas_;
  std::vector<std::string> names_;  // of their maps
};

}  // namespace ktstr
