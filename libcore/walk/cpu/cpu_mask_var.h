// cpumask_var_t: an array of one mask, or with CPUMASK_OFFSTACK a pointer to one
// (include/linux/cpumask.h). BTF tells which.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/cpu/cpu_mask.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

class CpuMaskVars {
 public:
  explicit CpuMaskVars(const Walk& walk);

  // The CPUs of an object's mask as a list ("0-3,8"). Nothing for a null pointer; what cannot be
  // read is an anomaly.
  std::optional<std::string> ListOf(CellReader& object, const MaybeMember& member) const;
  // The CPUs that are in any of these objects' masks. Nothing when there is no object, or when one
  // of the masks cannot be had.
  std::optional<std::string> ListOfAll(const std::vector<Kva>& objects, std::string_view what,
                                       const MaybeMember& member) const;
  // Those of a per-CPU variable. A kernel that has no such variable is no anomaly.
  std::optional<std::string> ListOfPerCpu(std::string_view variable, uint32_t cpu) const;

 private:
  std::optional<CpuMask> MaskOf(CellReader& object, const MaybeMember& member) const;
  std::optional<CpuMask> MaskAt(Kva mask, std::string_view what) const;

  Walk walk_;
  uint32_t cpus_ = 0;
};

}  // namespace ktstr
