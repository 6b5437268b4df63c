// Reads one CPU's run queue while the guest runs.
#pragma once

#include <chrono>

#include "capture/watch/sample.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/task/sched_class.h"

namespace ktstr {

// How hard one tries to read what is of one moment. Between two tries the guest gets time to end
// what it is doing: a vCPU can lose its host CPU in the middle of it.
struct RetryLimits {
  int attempts = 10;
  std::chrono::microseconds pause{100};
};

class CpuSampler {
 public:
  explicit CpuSampler(const Walk& walk);

  // All but what takes other CPUs or an earlier sample to know. Torn when in no attempt two
  // readings of the numbers agreed and added up.
  CpuSample Take(const CpuRef& cpu, const RetryLimits& retry) const;

 private:
  struct Reading;
  Reading Read(Kva rq) const;
  bool AddsUp(const Reading& reading) const;
  std::optional<int64_t> QueuedServers(Kva rq) const;
  bool FindOldest(const CpuRef& cpu, CpuSample& sample) const;

  const GuestKernel& kernel_;
  const TypeInfo& types_;
  RowReader<CpuRow> columns_;  // what it has in common with table cpu
  RqTaskMembers rq_;
  ScxRqMembers scx_;
  MaybeMember nr_switches_, rt_queued_, scx_nr_running_, local_dsq_nr_;  // of struct rq
  std::vector<uint64_t> servers_;  // offsets in struct rq of its deadline servers' rb_nodes
  TaskNameMembers task_;
  MaybeMember sched_class_, on_rq_;  // of a task
  RunnableMembers runnable_;
  SchedClasses classes_;
  EnumText flag_names_;
};

}  // namespace ktstr
