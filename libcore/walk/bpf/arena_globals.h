// Global variables in a BPF arena (`__arena` variables).
#pragma once

#include <optional>

#include "libcore/walk/bpf/arena.h"
#include "libcore/walk/bpf/object_types.h"
#include "libcore/walk/bpf/objects.h"

namespace ktstr {

struct ArenaSection {
  const TypeInfo* types;
  TypeId section;
  uint64_t begin;  // user space's address
};

// Finds where the variables of an arena's programs are. Their layout is in the programs' BTF, as
// the section ".addr_space.1". Where libbpf puts that section is not written down anywhere: at the
// arena's begin, and since 1.7 in its last pages. The programs' instructions tell it, for they hold
// the addresses of the variables that they use.
class ArenaGlobals {
 public:
  ArenaGlobals(const Walk& walk, BpfObjectTypes& types) : walk_(walk), types_(types) {}

  // Nothing when no program of the arena is there, it has no such variables, or their place cannot
  // be told.
  std::optional<ArenaSection> Find(const BpfArena& arena);

 private:
  struct ProgMembers : Fields {
    explicit ProgMembers(const Walk& walk) : Fields(walk, "bpf_prog") {}
    MaybeMember aux = Maybe("aux"), length = Maybe("len"), instructions = Maybe("insnsi");
  };
  struct AuxMembers : Fields {
    explicit AuxMembers(const Walk& walk) : Fields(walk, "bpf_prog_aux") {}
    MaybeMember arena = Maybe("arena"), btf = Maybe("btf");
  };
  // Notes the addresses in the arena that a program's instructions load.
  void CollectAddresses(Kva prog, const BpfArena& arena, std::vector<uint64_t>& addresses) const;

  Walk walk_;
  BpfObjectTypes& types_;
  ProgMembers prog_{walk_};
  AuxMembers aux_{walk_};
};

}  // namespace ktstr
