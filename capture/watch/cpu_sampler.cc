#include "capture/watch/cpu_sampler.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "libcore/walk/container/list.h"
#include "libcore/walk/members/scx.h"

namespace ktstr {

namespace {

// Nothing read before may be used for what is read after: the guest writes meanwhile.
void ReadAnew() { std::atomic_thread_fence(std::memory_order_acquire); }

// Calls `attempt` until it says true. False when it never did.
template <typename Attempt>
bool Retry(const RetryLimits& retry, Attempt&& attempt) {
  for (int i = 0; i < retry.attempts; ++i) {
    if (i != 0) std::this_thread::sleep_for(retry.pause);
    if (attempt()) return true;
  }
  return false;
}

}  // namespace

// What is read at one go, and again to see whether it was of one moment.
struct CpuSampler::Reading {
  std::optional<Kva> curr;
  std::optional<int64_t> pid;
  std::optional<std::string> comm, task_class;
  std::optional<int64_t> nr_running, nr_switches, clock;
  std::optional<int64_t> cfs, rt, rt_queued, dl, servers, scx, stop;
  std::optional<uint64_t> flags;
  std::optional<int64_t> local_dsq;
  friend bool operator==(const Reading&, const Reading&) = default;
};

CpuSampler::CpuSampler(const Walk& walk)
    : kernel_(walk.kernel),
      types_(walk.types),
      columns_(walk),
      rq_(walk),
      scx_(walk),
      task_(walk),
      runnable_(walk),
      classes_(walk.kernel),
      flag_names_(walk.types, {"scx_rq_flags"}, "SCX_RQ_") {
  const Fields rq(walk, kRqStruct), task(walk, kTaskStruct);
  rt_queued_ = rq.Maybe("rt.rt_queued");
  for (const char* server : {"fair_server.rb_node", "ext_server.rb_node"}) {
    if (const auto node = rq.Maybe(server)) servers_.push_back(node->offset);
  }
  nr_switches_ = rq.Need(rq_member::kNrSwitches);
  scx_nr_running_ = Fields(walk, kScxRqStruct).Maybe(rq_member::kScxNrRunning);
  if (scx_.local_dsq) local_dsq_nr_ = DsqMembers(walk).nr;
  if (local_dsq_nr_) local_dsq_nr_->offset += scx_.local_dsq->offset;
  sched_class_ = task.Need(task_member::kSchedClass);
  on_rq_ = task.Need(task_member::kOnRq);
}

// A server counts in dl_nr_running while it is in the tree (inc_dl_tasks in
// kernel/sched/deadline.c), but not in nr_running. RB_EMPTY_NODE: a node that is its own parent is
// in no tree.
std::optional<int64_t> CpuSampler::QueuedServers(Kva rq) const {
  int64_t queued = 0;
  for (const uint64_t offset : servers_) {
    const auto parent = kernel_.Read<uint64_t>(rq + offset);
    if (!parent) return std::nullopt;
    if (*parent != 0 && *parent != (rq + offset).value()) ++queued;
  }
  return queued;
}

CpuSampler::Reading CpuSampler::Read(Kva rq_kva) const {
  ReadAnew();
  // An error costs its number, which is then unknown; there is nobody to tell more.
  Anomalies anomalies("watch");
  const Walk walk{kernel_, types_, anomalies};
  CellReader rq(walk, rq_kva, "a run queue");
  CpuRow row;
  columns_.Read(rq, row);
  Reading reading;
  if (row.curr_kva) {
    reading.curr = Kva(row.curr_kva->value);
    CellReader task(walk, *reading.curr, "a run queue's current task");
    reading.pid = task.Integer(task_.pid);
    reading.comm = task.Text(task_.comm);
    if (const auto its_class = task.Pointer(sched_class_)) {
      reading.task_class = classes_.NameOf(*its_class);
    }
  }
  reading.nr_running = row.nr_running;
  reading.nr_switches = row.nr_switches;
  reading.clock = row.clock_ns;
  reading.cfs = row.cfs_nr_running;
  reading.rt = row.rt_nr_running;
  reading.rt_queued = rt_queued_ ? rq.Integer(rt_queued_) : 1;
  reading.dl = row.dl_nr_running;
  reading.servers = QueuedServers(rq_kva);
  reading.scx = row.scx_nr_running;
  if (row.scx_flags) reading.flags = row.scx_flags->value;
  reading.local_dsq = rq.Integer(local_dsq_nr_);
  reading.stop = 0;
  if (row.stop_kva && row.stop_kva->value != 0) {
    CellReader task(walk, Kva(row.stop_kva->value), "a run queue's stop task");
    reading.stop = task.Integer(on_rq_);
  }
  ReadAnew();
  return reading;
}

// Whether nr_running is the sum of what the classes count: each adds to both when a task is queued
// (add_nr_running in kernel/sched/sched.h). What cannot be read contradicts nothing.
bool CpuSampler::AddsUp(const Reading& r) const {
  if (!r.nr_running || !r.cfs || !r.rt || !r.rt_queued || !r.dl || !r.servers || !r.stop ||
      (scx_nr_running_ && !r.scx)) {
    return true;
  }
  // A throttled real-time queue keeps its tasks, but nr_running does not (dequeue_top_rt_rq).
  const int64_t rt = *r.rt_queued != 0 ? *r.rt : 0;
  const int64_t stop = *r.stop != 0 ? 1 : 0;
  return *r.nr_running == *r.cfs + rt + *r.dl - *r.servers + r.scx.value_or(0) + stop;
}

CpuSample CpuSampler::Take(const CpuRef& cpu, const RetryLimits& retry) const {
  Reading reading;
  CpuSample sample;
  sample.torn = !Retry(retry, [&] {
    const Reading before = Read(cpu.rq);
    reading = Read(cpu.rq);
    return reading == before && AddsUp(reading);
  });
  sample.read_at = std::chrono::steady_clock::now();
  sample.cpu = cpu.cpu;
  sample.online = cpu.online;
  sample.pid = reading.pid;
  sample.comm = std::move(reading.comm);
  sample.task_class = std::move(reading.task_class);
  sample.nr_running = reading.nr_running;
  sample.cfs = reading.cfs;
  sample.rt = reading.rt;
  if (reading.dl && reading.servers) sample.dl = *reading.dl - *reading.servers;
  sample.scx = reading.scx;
  sample.local_dsq = reading.local_dsq;
  sample.nr_switches = reading.nr_switches;
  sample.clock_ns = reading.clock;
  if (reading.flags) {
    sample.scx_flags = Hex(*reading.flags);
    sample.scx_flag_names = flag_names_.FlagsOf(*reading.flags);
  }
  sample.oldest_torn = !Retry(retry, [&] { return FindOldest(cpu, sample); });
  if (sample.oldest_torn) {
    sample.oldest.reset();
    sample.oldest_by_owner.clear();
  }
  return sample;
}

// What the watchdog looks at: check_rq_for_timeouts() in kernel/sched/ext.c. False when the list
// changed meanwhile: its own pointers disagree, or a task came, went or was put back.
bool CpuSampler::FindOldest(const CpuRef& cpu, CpuSample& sample) const {
  sample.oldest.reset();
  sample.oldest_by_owner.clear();
  if (!scx_.runnable_list || !runnable_.node || !runnable_.at) return true;
  Anomalies anomalies("watch");
  const Walk walk{kernel_, types_, anomalies};
  const auto stamp = [&] {
    ReadAnew();
    CellReader rq(walk, cpu.rq, "a run queue");
    return std::tuple(rq.Pointer(rq_.curr), rq.Integer(nr_switches_), rq.Integer(scx_nr_running_));
  };
  const auto before = stamp();
  for (const Kva entry : WalkList(walk, cpu.rq + scx_.runnable_list->offset, "runnable_list")) {
    CellReader task(walk, entry - runnable_.node->offset, "a runnable task");
    const auto at = task.Integer(runnable_.at);
    const auto owner = runnable_.sched ? task.Pointer(runnable_.sched) : Kva();
    if (!at || !owner) continue;
    auto known = std::ranges::find(sample.oldest_by_owner, *owner, &WaitingTask::owner);
    const bool is_new = known == sample.oldest_by_owner.end();
    if (!is_new && *at - known->runnable_at >= 0) continue;
    if (is_new) known = sample.oldest_by_owner.insert(known, WaitingTask());
    *known = {.pid = task.Integer(task_.pid),
              .comm = task.Text(task_.comm),
              .cpu = cpu.cpu,
              .runnable_at = *at,
              .owner = *owner};
  }
  for (const WaitingTask& task : sample.oldest_by_owner) KeepOlder(task, sample.oldest);
  return stamp() == before && anomalies.rows().empty();
}

}  // namespace ktstr
