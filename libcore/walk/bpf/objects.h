// Which BPF objects there are: the kernel's tables of maps, programs and links by id.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

struct BpfObject {
  int64_t id;
  Kva kva;  // struct bpf_map, bpf_prog, bpf_link or btf
};

// In order of their ids; nothing when the kernel has no bpf(2).
std::vector<BpfObject> ListBpfMaps(const Walk& walk);
std::vector<BpfObject> ListBpfProgs(const Walk& walk);
std::vector<BpfObject> ListBpfLinks(const Walk& walk);
std::vector<BpfObject> ListBtfs(const Walk& walk);

// Names of programs, by id.
class BpfProgNames {
 public:
  explicit BpfProgNames(const Walk& walk);
  std::optional<std::string> NameOf(int64_t id) const;

 private:
  std::unordered_map<int64_t, std::string> names_;
};

}  // namespace ktstr
