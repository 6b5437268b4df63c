#include "libcore/walk/bpf/object_types.h"

#include <fmt/format.h>

namespace ktstr {

namespace {
// BTF_MAX_SIZE in kernel/bpf/btf.c.
constexpr uint64_t kMaxBtfBytes = uint64_t{16} << 20;
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
  return known_.emplace(btf.value(), Parse(btf, base.value_or(Kva()))).first->second.get();
}

std::unique_ptr<TypeInfo> BpfObjectTypes::Parse(Kva btf, Kva base) {
  CellReader object(walk_, btf, "a struct btf");
  const auto data = object.Pointer(btf_.data);
  const auto size = object.Unsigned(btf_.data_size);
  if (!data || !size) return nullptr;
  if (*size > kMaxBtfBytes) {
    walk_.anomalies.Add("damage", btf, fmt::format("BTF of {} bytes", *size));
    return nullptr;
  }
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
