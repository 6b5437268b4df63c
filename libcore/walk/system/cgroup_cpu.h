// What the controllers cpu and cpuset know of a cgroup.
#pragma once

#include <unordered_map>

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/cpu_mask_var.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/system/cgroup.h"

namespace ktstr {

class CgroupCpu {
 public:
  explicit CgroupCpu(const Walk& walk);

  // Fills in what the controllers that `cgroup` (a struct cgroup) has enabled say.
  void Fill(CellReader& cgroup, CgroupRow& row) const;

 private:
  void FillTaskGroup(Kva css, CgroupRow& row) const;
  void FillBandwidth(CellReader& group, CgroupRow& row) const;
  std::optional<std::string> ThrottledCpus(CellReader& group) const;
  void FillCpuset(Kva css, CgroupRow& row) const;

  Walk walk_;
  CpuMaskVars masks_;
  std::vector<CpuRef> cpus_;
  MaybeMember cpu_css_, cpuset_css_;
  MaybeMember group_css_, shares_, idle_, scx_weight_, cfs_rq_, throttled_;
  MaybeMember quota_, period_, burst_, nr_periods_, nr_throttled_, throttled_time_;
  MaybeMember set_css_, allowed_, effective_;
};

}  // namespace ktstr
