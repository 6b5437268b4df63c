#include "libcore/walk/cpu/cpu_mask_var.h"

#include <fmt/format.h>

namespace ktstr {

CpuMaskVars::CpuMaskVars(const Walk& walk) : walk_(walk) {
  const auto cpus = walk.kernel.CpuCount();
  if (cpus) {
    cpus_ = *cpus;
  } else {
    walk.anomalies.Add(cpus.error(), std::nullopt, "counting CPUs");
  }
}

std::optional<CpuMask> CpuMaskVars::MaskAt(Kva mask, std::string_view what) const {
  if (mask.is_null() || cpus_ == 0) return std::nullopt;
  auto read = ReadCpuMask(walk_.kernel, mask, cpus_);
  if (read) return *std::move(read);
  walk_.anomalies.Add(read.error(), mask, fmt::format("reading {}", what));
  return std::nullopt;
}

std::optional<CpuMask> CpuMaskVars::MaskOf(CellReader& object, const MaybeMember& member) const {
  if (!member) return std::nullopt;
  if (member->kind != TypeKind::kPointer) {
    return MaskAt(object.object().base() + member->offset, "a CPU mask");
  }
  const auto mask = object.Pointer(member);
  return mask ? MaskAt(*mask, "a CPU mask") : std::nullopt;
}

std::optional<std::string> CpuMaskVars::ListOf(CellReader& object,
                                               const MaybeMember& member) const {
  const auto mask = MaskOf(object, member);
  return mask ? std::optional(ToList(*mask)) : std::nullopt;
}

std::optional<std::string> CpuMaskVars::ListOfAll(const std::vector<Kva>& objects,
                                                  std::string_view what,
                                                  const MaybeMember& member) const {
  CpuMask all;
  for (const Kva kva : objects) {
    CellReader object(walk_, kva, what);
    const auto mask = MaskOf(object, member);
    if (!mask) return std::nullopt;
    all.resize(mask->size());
    for (size_t word = 0; word < mask->size(); ++word) all[word] |= (*mask)[word];
  }
  return objects.empty() ? std::nullopt : std::optional(ToList(all));
}

std::optional<std::string> CpuMaskVars::ListOfPerCpu(std::string_view variable,
                                                     uint32_t cpu) const {
  const auto type = walk_.types.FindVariable(variable);
  if (!type) return std::nullopt;
  const std::string what = fmt::format("{} of CPU {}", variable, cpu);
  auto at = walk_.kernel.PerCpu(variable, cpu);
  if (at && walk_.types.KindOf(*type) == TypeKind::kPointer) at = walk_.kernel.Read<Kva>(*at);
  if (at) {
    const auto mask = MaskAt(*at, what);
    return mask ? std::optional(ToList(*mask)) : std::nullopt;
  }
  walk_.anomalies.Add(at.error(), std::nullopt, fmt::format("reading {}", what));
  return std::nullopt;
}

}  // namespace ktstr
