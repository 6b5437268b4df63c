// BPF arenas (bpf_arena, kernel/bpf/arena.c, since 6.9): sparse memory that programs and user space
// share. Pointers into it are user space's addresses, wherever they are kept.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

struct BpfArena {
  int64_t map_id;
  Kva map;                // its struct bpf_map
  Kva container;          // its struct bpf_arena
  uint64_t begin, bytes;  // of user space's addresses; begin is 0 before somebody has mapped it
  Kva kernel_begin;       // where the kernel has what is at `begin`

  bool Contains(uint64_t pointer) const { return pointer - begin < bytes; }
  Kva KernelAddress(uint64_t pointer) const { return kernel_begin + (pointer - begin); }
};

class BpfArenas {
 public:
  explicit BpfArenas(const Walk& walk) : walk_(walk) {}

  // The arena whose struct bpf_map that is; nothing, with an anomaly, when it cannot be read.
  std::optional<BpfArena> At(int64_t map_id, Kva map, uint64_t max_entries) const;

 private:
  struct Members : Fields {
    explicit Members(const Walk& walk) : Fields(walk, "bpf_arena") {}
    MaybeMember map = Maybe("map"), begin = Maybe("user_vm_start"), area = Maybe("kern_vm");
  };
  struct AreaMembers : Fields {
    explicit AreaMembers(const Walk& walk) : Fields(walk, "vm_struct") {}
    MaybeMember address = Maybe("addr");
  };

  Walk walk_;
  Members arena_{walk_};
  AreaMembers area_{walk_};
};

}  // namespace ktstr
