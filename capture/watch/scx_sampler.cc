#include "capture/watch/scx_sampler.h"

#include <thread>

#include "libcore/walk/container/rhashtable.h"
#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {
constexpr size_t kMaxPath = 4096;  // of a cgroup, in bytes
}  // namespace

struct ScxSampler::Reading {
  std::optional<std::string> enable_state;
  std::vector<SchedulerSample> schedulers;
  std::vector<std::optional<int64_t>> timeouts;  // of `schedulers`, in jiffies
  std::vector<Kva> queues;
  std::vector<DsqSample> dsqs;  // of `queues`
  bool doubtful = false;        // a list or table contradicted itself

  // Lengths may change: each is a number of its own.
  bool SameAs(const Reading& other) const {
    return enable_state == other.enable_state && schedulers == other.schedulers &&
           timeouts == other.timeouts && queues == other.queues;
  }
};

ScxSampler::ScxSampler(const Walk& walk)
    : kernel_(walk.kernel),
      types_(walk.types),
      status_(walk),
      ops_name_(Fields(walk, kScxOpsStruct).Need(ops_member::kName)),
      dsq_(walk),
      sched_(walk) {}

void ScxSampler::AddDsq(const Walk& walk, Reading& reading, Kva dsq, DsqSample sample) const {
  CellReader queue(walk, dsq, "a dispatch queue");
  sample.id = queue.HexOf(dsq_.id);
  sample.nr = queue.Integer(dsq_.nr);
  reading.queues.push_back(dsq);
  reading.dsqs.push_back(std::move(sample));
}

SchedulerSample ScxSampler::ReadScheduler(const Walk& walk, const ScxInstance& instance) const {
  SchedulerSample sample;
  if (instance.ops) {
    CellReader ops(walk, *instance.ops, "struct sched_ext_ops");
    const auto name = ops.Text(ops_name_);
    // Unloading zeroes the whole table.
    if (name && !name->empty()) sample.ops_name = *name;
  }
  if (!instance.sched) return sample;
  sample.sched = *instance.sched;
  if (instance.level.value_or(0) == 0) return sample;
  const auto path = CellReader(walk, *instance.sched, "a scheduler").Pointer(sched_.cgrp_path);
  if (!path || path->is_null()) return sample;
  const auto text = kernel_.ReadString(*path, kMaxPath);
  if (text) {
    sample.cgroup = *text;
  } else {
    walk.anomalies.Add(text.error(), *path, "reading the cgroup of a sub-scheduler");
  }
  return sample;
}

ScxSampler::Reading ScxSampler::Read() const {
  // The table of queues may lie in vmalloc memory, whose page tables change.
  kernel_.address_space().Flush();
  Anomalies anomalies("watch");
  const Walk walk{kernel_, types_, anomalies};
  Reading reading;
  reading.enable_state = status_.EnableState(walk);
  int64_t scheduler = 0;
  for (const ScxInstance& instance : ListScxInstances(walk)) {
    reading.schedulers.push_back(ReadScheduler(walk, instance));
    reading.timeouts.push_back(status_.WatchdogTimeout(walk, instance));
    for (const NodeDsq& global : instance.global_dsqs) {
      AddDsq(walk, reading, global.dsq,
             {.kind = "global", .node = global.node, .scheduler = scheduler});
    }
    if (instance.dsq_hash) {
      for (const Kva dsq : WalkRhashtable(walk, *instance.dsq_hash, "dsq_hash")) {
        AddDsq(walk, reading, dsq, {.kind = "user", .scheduler = scheduler});
      }
    }
    ++scheduler;
  }
  reading.doubtful = !anomalies.rows().empty();
  return reading;
}

ScxSample ScxSampler::Take(std::optional<int64_t> hz, const RetryLimits& retry) const {
  Reading reading;
  ScxSample sample;
  sample.torn = true;
  for (int i = 0; i < retry.attempts && sample.torn; ++i) {
    if (i != 0) std::this_thread::sleep_for(retry.pause);
    const Reading before = Read();
    reading = Read();
    sample.torn = reading.doubtful || !reading.SameAs(before);
  }
  sample.enable_state = std::move(reading.enable_state);
  sample.schedulers = std::move(reading.schedulers);
  for (size_t i = 0; i < sample.schedulers.size(); ++i) {
    if (!reading.timeouts[i]) continue;
    sample.schedulers[i].watchdog_timeout_ms =
        KernelClock{.jiffies = {}, .hz = hz}.ToMs(*reading.timeouts[i]);
  }
  if (!sample.schedulers.empty()) {
    sample.ops_name = sample.schedulers.front().ops_name;
    sample.watchdog_timeout_ms = sample.schedulers.front().watchdog_timeout_ms;
  }
  sample.dsqs = std::move(reading.dsqs);
  return sample;
}

}  // namespace ktstr
