// A struct_ops map (bpf_struct_ops_map, kernel/bpf/bpf_struct_ops.c) has one value, `kvalue`.
#include "libcore/walk/bpf/map_members.h"
#include "libcore/walk/bpf/map_readers.h"

namespace ktstr {

namespace {

struct StructOpsMembers : Fields {
  explicit StructOpsMembers(const Walk& walk) : Fields(walk, "bpf_struct_ops_map") {}
  MaybeMember map = Maybe("map"), kernel_value = Maybe("kvalue");
};

class StructOpsReader : public BpfMapReader {
 public:
  explicit StructOpsReader(const Walk& walk) : members_(walk) {}

  std::optional<int64_t> Read(const BpfMapShape& map, BpfValueSink& sink) override {
    if (!members_.kernel_value) return std::nullopt;
    sink.Add("0", ContainerOf(map.kva, members_.map) + members_.kernel_value->offset);
    return 1;
  }

 private:
  StructOpsMembers members_;
};

}  // namespace

std::unique_ptr<BpfMapReader> MakeStructOpsReader(const Walk& walk) {
  return std::make_unique<StructOpsReader>(walk);
}

}  // namespace ktstr
