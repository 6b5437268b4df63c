// Reads the state of sched_ext and its dispatch queues while the guest runs.
#pragma once

#include "capture/watch/cpu_sampler.h"
#include "capture/watch/sample.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/sched/scx_status.h"

namespace ktstr {

class ScxSampler {
 public:
  // The kernel must have sched_ext.
  explicit ScxSampler(const Walk& walk);

  // All but who waits. `hz` may be unknown. Torn when in no attempt two readings agreed on the
  // scheduler and on which queues there are.
  ScxSample Take(std::optional<int64_t> hz, const RetryLimits& retry) const;

 private:
  struct Reading;
  Reading Read() const;
  // All but what is of all schedulers' tasks, and the timeout.
  SchedulerSample ReadScheduler(const Walk& walk, const ScxInstance& instance) const;
  void AddDsq(const Walk& walk, Reading& reading, Kva dsq, DsqSample sample) const;

  const GuestKernel& kernel_;
  const TypeInfo& types_;
  ScxStatus status_;
  MaybeMember ops_name_;
  DsqMembers dsq_;
  ScxSchedMembers sched_;
};

}  // namespace ktstr
