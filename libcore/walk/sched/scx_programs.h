// Which BPF programs stand behind a scheduler's callbacks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/bpf/objects.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

struct ScxProgram {
  int64_t id;
  std::optional<std::string> name;
};

struct MapTypeMembers : Fields {
  explicit MapTypeMembers(const Walk& walk) : Fields(walk, "bpf_map") {}
  MaybeMember map_type = Maybe("map_type");
};

struct OpsMapMembers : Fields {
  explicit OpsMapMembers(const Walk& walk) : Fields(walk, "bpf_struct_ops_map") {}
  MaybeMember map = Maybe("map"), kernel_data = Maybe("kvalue.data"), user_value = Maybe("uvalue");
};

struct OpsValueMembers : Fields {
  explicit OpsValueMembers(const Walk& walk) : Fields(walk, "bpf_struct_ops_value") {}
  MaybeMember data = Maybe("data");
};

// A loaded struct sched_ext_ops is a copy of a BPF map of type struct_ops: that map has the same
// trampolines at the same offsets, and in its user-visible half the programs' ids in their place
// (kernel/bpf/bpf_struct_ops.c).
class ScxPrograms {
 public:
  explicit ScxPrograms(const Walk& walk);

  // By the callback's offset in the struct at `ops`, which is a `structure` (sched_ext_ops or
  // sched_ext_ops_cid); empty when no map fits.
  std::unordered_map<uint64_t, ScxProgram> Of(Kva ops, const Structure& structure) const;

 private:
  Walk walk_;
  MapTypeMembers type_{walk_};
  OpsMapMembers map_{walk_};
  OpsValueMembers value_{walk_};
  std::vector<BpfObject> maps_;  // those of type struct_ops
  BpfProgNames names_;
};

}  // namespace ktstr
