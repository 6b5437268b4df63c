#include "libcore/walk/bpf/object_types.h"

#include <fmt/format.h>

namespace ktstr {

namespace {
// BTF_MAX_SIZE in kernel/bpf/btf.c.
constexpr uint64_t kMaxBtfBytes = uint64_t{16} << 20;
// Modules' types go on where the kernel's own end, and no further types go on from theirs. A few
// more would do no harm; a chain without end would.
constexpr int kMaxBases = 4;
}  // namespace

BpfObjectTypes::BpfObjectTypes(const Walk& walk) : walk_(walk) {}

const TypeInfo* BpfObjectTypes::At(Kva btf) {
  if (btf.is_null() || !btf_.data || !btf_.data_size) return nullptr;
  CellReader object(walk_, btf, "a struct btf");
  const auto base = object.Pointer(btf_.base_btf);
  const bool is_kernels = object.Integer(btf_.kernel_btf).value_or(0) != 0;
  if (is_kernels && (!base || base->is_null())) return &walk_.types;
  const auto found = known_.find(btf.value());
  if (found != known_.end()) return found->second.get();
  // Known before it is parsed: one that is its own base has none.
  known_.emplace(btf.value(), nullptr);
  if (depth_ >= kMaxBases) {
    walk_.anomalies.Add("damage", btf, "BTF is based on BTF, again and again");
    return nullptr;
  }
  ++depth_;
  std::unique_ptr<TypeInfo> parsed = Parse(btf, base.value_or(Kva()));
  --depth_;
  return (known_[btf.value()] = std::move(parsed)).get();
}

std::unique_ptr<TypeInfo> BpfObjectTypes::Parse(Kva btf, Kva base) {
  CellReader object(walk_, btf, "a struct btf");
  const auto data = object.Pointer(btf_.data);
  const auto size = object.Unsigned(btf_.data_size);
  if (!data || !size) return nullptr;
  if (*size > kMaxBtfBytes || *size > bytes_left_) {
    walk_.anomalies.Add(
        "damage", btf,
        fmt::format("BTF of {} bytes, of {} that are left for all", *size, bytes_left_));
    return nullptr;
  }
  bytes_left_ -= *size;
  std::vector<std::byte> raw(*size);
  if (const auto read = walk_.kernel.Read(*data, raw); !read) {
    walk_.anomalies.Add(read.error(), *data, "reading BTF");
    return nullptr;
  }
  // A module's types go on where the kernel's end.
  const TypeInfo* kernels = base.is_null() ? nullptr : At(base);
  auto parsed = kernels == nullptr ? TypeInfo::Parse(raw) : TypeInfo::ParseSplit(raw, *kernels);
  if (!parsed) {
    walk_.anomalies.Add(parsed.error(), btf, "parsing BTF");
    return nullptr;
  }
  return std::make_unique<TypeInfo>(*std::move(parsed));
}

}  // namespace ktstr
