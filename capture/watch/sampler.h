// Looks at a running guest again and again without stopping it.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "capture/watch/cpu_sampler.h"
#include "capture/watch/sample.h"
#include "capture/watch/scx_sampler.h"

namespace ktstr {

class Sampler {
 public:
  // `kernel` is of memory that may change while it is read, and must outlive this object. Errors:
  // those of the kernel's types.
  static Result<Sampler> Make(const GuestKernel& kernel, const RetryLimits& retry = {});

  // What is there now; rates are since the call before.
  WatchSample Take();

 private:
  Sampler(const Walk& walk, const RetryLimits& retry);
  void AddRates(std::vector<CpuSample>& cpus);
  void AddWaiting(WatchSample& sample, std::optional<int64_t> jiffies) const;

  struct Switches {
    int64_t count;
    std::chrono::steady_clock::time_point at;
  };

  const GuestKernel* kernel_;
  const TypeInfo* types_;
  RetryLimits retry_;
  std::optional<int64_t> hz_;
  std::unique_ptr<CpuSampler> cpus_;
  std::unique_ptr<ScxSampler> scx_;       // null: a kernel without sched_ext
  std::map<int64_t, Switches> switches_;  // by CPU
};

}  // namespace ktstr
