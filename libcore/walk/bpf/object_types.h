// The BTF that BPF objects and modules bring along: parsed once for each struct btf.
#pragma once

#include <memory>
#include <unordered_map>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

struct BtfMembers : Fields {
  explicit BtfMembers(const Walk& walk) : Fields(walk, "btf") {}
  MaybeMember data = Maybe("data"), data_size = Maybe("data_size"), base_btf = Maybe("base_btf"),
              kernel_btf = Maybe("kernel_btf");
};

class BpfObjectTypes {
 public:
  explicit BpfObjectTypes(const Walk& walk);

  // The types of the struct btf at `btf`, the kernel's own for its own. Null for a null pointer,
  // and with an anomaly for one that cannot be read or parsed, or beyond a limit.
  const TypeInfo* At(Kva btf);

 private:
  std::unique_ptr<TypeInfo> Parse(Kva btf, Kva base);

  Walk walk_;
  BtfMembers btf_{walk_};
  std::unordered_map<uint64_t, std::unique_ptr<TypeInfo>> known_;
  int depth_ = 0;  // of types that go on where others end
  // Of all together, in bytes: a guest can have as many objects say that theirs is large.
  uint64_t bytes_left_ = uint64_t{256} << 20;
};

}  // namespace ktstr
