// What the values of task storage lead to in arenas: schedulers keep the contexts of tasks there,
// and in the storage a pointer to them.
#pragma once

#include <optional>
#include <vector>

#include "libcore/walk/bpf/arena_pointers.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/map_shape.h"

namespace ktstr {

class ArenaContexts {
 public:
  explicit ArenaContexts(const Walk& walk) : walk_(walk), pointers_(walk) {}

  // `storage` is a map of task storage, whose values stand in `values` from `first` on: appends for
  // each pointer in them that leads to a structure in an arena that structure, as a value of the
  // arena's map for the same task.
  void Add(const BpfMapShape& storage, size_t first, std::vector<BpfMapValueRow>& values);

 private:
  // What the pointer at `pointer_at` leads to, as a value of the arena's; nothing when that is no
  // place in an arena.
  std::optional<BpfMapValueRow> Target(const TypeInfo& types, TypeId type, Kva pointer_at);

  Walk walk_;
  ArenaPointers pointers_;
};

}  // namespace ktstr
