// What the controllers cpu and cpuset know of a cgroup.
#pragma once

#include <unordered_map>

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/cpu/group_queues.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/system/cgroup.h"

namespace ktstr {

struct TaskGroupMembers : Fields {
  explicit TaskGroupMembers(const Walk& walk) : Fields(walk, "task_group") {}
  MaybeMember css = Maybe("css"), shares = Maybe("shares"), quota = Maybe("cfs_bandwidth.quota");
};

struct FairQueueMembers : Fields {
  explicit FairQueueMembers(const Walk& walk) : Fields(walk, "cfs_rq") {}
  MaybeMember throttled = Maybe("throttled");
};

struct CpusetMembers : Fields {
  explicit CpusetMembers(const Walk& walk) : Fields(walk, "cpuset") {}
  MaybeMember css = Maybe("css"), allowed = Maybe("cpus_allowed"),
              effective = Maybe("effective_cpus");
};

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
  TaskGroupMembers group_{walk_};
  GroupQueues queues_{walk_};
  FairQueueMembers queue_{walk_};
  CpusetMembers set_{walk_};
  RowReader<CgroupRow> columns_{walk_, "task_group"};
  CpuMaskVars masks_;
  std::vector<CpuRef> cpus_;
  MaybeMember cpu_css_, cpuset_css_;  // of struct cgroup
};

}  // namespace ktstr
