#include "ktstr/walk/cpu_mask_var.h"

#include <fmt/format.h>

#include "ktstr/walk/cpu_mask.h"

namespace ktstr {

CpuMaskVars::CpuMaskVars(const GuestKernel& kernel, const TypeInfo& types, Anomalies& anomalies)
    : kernel_(kernel), types_(types), anomalies_(anomalies) {
  const auto cpus = kernel.CpuCount();
  if (cpus) {
    cpus_ = *cpus;
  } else {
    anomalies.Add(cpus.error(), std::nullopt, "counting CPUs");
  }
}

std::optional<std::string> CpuMaskVars::ListAt(Kva mask, std::string_view what) const {
  if (mask.is_null() || cpus_ == 0) return std::nullopt;
  const auto read = ReadCpuMask(kernel_, mask, cpus_);
  if (read) return ToList(*read);
  anomalies_.Add(read.error(), mask, fmt::format("reading {}", what));
  return std::nullopt;
}

std::optional<std::string> CpuMaskVars::ListOf(CellReader& object,
                                               const MaybeMember& member) const {
  if (!member) return std::nullopt;
  if (member->kind != TypeKind::kPointer) {
    return ListAt(object.object().base() + member->offset, "a CPU mask");
  }
  const auto mask = object.Pointer(member);
  return mask ? ListAt(*mask, "a CPU mask") : std::nullopt;
}

std::optional<std::string> CpuMaskVars::ListOfPerCpu(std::string_view variable,
                                                     uint32_t cpu) const {
  const auto type = types_.FindVariable(variable);
  if (!type) return std::nullopt;
  const std::string what = fmt::format("{} of CPU {}", variable, cpu);
  auto at = kernel_.PerCpu(variable, cpu);
  if (at && types_.KindOf(*type) == TypeKind::kPointer) at = kernel_.Read<Kva>(*at);
  if (at) return ListAt(*at, what);
  anomalies_.Add(at.error(), std::nullopt, fmt::format("reading {}", what));
  return std::nullopt;
}

}  // namespace ktstr
