// Reads one CPU's run queue while the guest runs.
#pragma once

#include <chrono>

#include "ktstr/capture/watch/sample.h"
#include "ktstr/kernel/guest_kernel.h"
#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/enum_text.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/sched_class.h"

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
  MaybeMember curr_, stop_, nr_running_, nr_switches_, clock_, cfs_, rt_, rt_queued_, dl_, scx_,
      scx_flags_, local_dsq_nr_, runnable_list_;
  std::vector<uint64_t> servers_;  // offsets in struct rq of its deadline servers' rb_nodes
  MaybeMember pid_, comm_, sched_class_, on_rq_, runnable_node_, runnable_at_;
  SchedClasses classes_;
  EnumText flag_names_;
};

}  // namespace ktstr
