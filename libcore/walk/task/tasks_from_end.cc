#include "libcore/walk/task/tasks_from_end.h"

#include <algorithm>
#include <bit>
#include <memory>

#include "libcore/base/side_thread.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

// struct list_head, include/linux/types.h.
struct TaskLinks {
  uint64_t next, prev;
};

// kernel/fork.c; without idle tasks.
int64_t ThreadCount(const GuestKernel& kernel) {
  const auto at = kernel.symbol_kva("nr_threads");
  const auto count = at ? kernel.Read<int32_t>(*at) : Result<int32_t>(Fail(at.error()));
  return count.value_or(0);
}

}  // namespace

TasksFromEnd::TasksFromEnd(const Walk& walk, Begin begin) : walk_(walk), begin_(std::move(begin)) {
  constexpr int64_t kMostExpected = 65'536;  // whatever a damaged kernel says
  const int64_t tasks = ThreadCount(walk.kernel);
  expected_ = size_t(std::clamp<int64_t>(tasks, 0, kMostExpected));
  if (tasks < kFewestTasks || std::thread::hardware_concurrency() < 2) return;
  claimed_ = std::vector<std::atomic<uint64_t>>(std::bit_ceil(2 * expected_));
  thread_ = TryThread([this] { Run(); });
}

bool TasksFromEnd::IsFirst(Kva node) {
  constexpr uint64_t kOddNumber = 0x9e3779b97f4a7c15;
  constexpr size_t kMostProbes = 256;
  const size_t mask = claimed_.size() - 1;
  size_t slot = (node.value() * kOddNumber) >> (64 - std::countr_zero(claimed_.size()));
  for (size_t probe = 0; probe < kMostProbes; ++probe, slot = (slot + 1) & mask) {
    uint64_t there = 0;
    if (claimed_[slot].compare_exchange_strong(there, node.value(), std::memory_order_relaxed)) {
      return true;
    }
    if (there == node.value()) return false;
  }
  return false;
}

void TasksFromEnd::Run() {
  Anomalies told("");
  Walk walk = walk_.NotingIn(told);
  walk.meter = std::make_shared<WalkMeter>(walk_.limits.max_all_nodes);
  const auto init_task = walk.kernel.symbol_kva("init_task");
  const ProcessWalker processes(walk);
  if (!init_task || !processes.has_members()) return;
  size_t visited = 0;
  const Visit visit_task = begin_(walk);
  const auto visit = [&](const TaskRef& task) {
    ++visited;
    visit_task(task);
  };
  // What is missing from the kernel, of which the first thread tells, too.
  const size_t told_at_begin = told.rows().size();
  const Kva head = processes.ListOf(*init_task);
  Kva later = head;
  auto links = walk.kernel.Read<TaskLinks>(head);
  while (links && !over_.load(std::memory_order_relaxed) && !walk.limits.IsStopped()) {
    const Kva node(links->prev);
    if (node == head) return;
    links = walk.kernel.Read<TaskLinks>(node);
    // What leads elsewhere is no list to go along.
    if (!links || Kva(links->next) != later || !IsFirst(node)) return;
    visited = 0;
    processes.Visit(node, walk, visit);
    last_ = node;
    visited_.push_back(visited);
    all_visited_ += visited;
    thread_nodes_ = walk_.limits.max_all_nodes - walk.meter->left();
    sound_ = told.rows().size() == told_at_begin && all_visited_ <= walk.limits.max_nodes;
    if (!sound_) return;
    later = node;
  }
  sound_ = sound_ && !walk.limits.IsStopped();
}

bool TasksFromEnd::Take(Kva node, size_t most, size_t counted) {
  // One that it has taken up, it ends.
  if (thread_ && thread_->joinable()) thread_->join();
  thread_.reset();
  if (!sound_ || last_ != node || all_visited_ >= most) return false;
  const size_t processes = visited_.size() - 1;  // behind this one, which was counted
  if (!walk_.meter->Take(processes - std::min(processes, counted) + thread_nodes_)) return false;
  taken_ = std::move(visited_);
  return true;
}

}  // namespace ktstr
