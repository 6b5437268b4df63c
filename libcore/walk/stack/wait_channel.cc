#include "ktstr/walk/stack/wait_channel.h"

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "ktstr/walk/text/module_list.h"

namespace ktstr {

namespace {

// in_sched_functions() in kernel/sched/core.c.
class WaitingText {
 public:
  explicit WaitingText(const GuestKernel& kernel) {
    Add(kernel, "__sched_text_start", "__sched_text_end");
    Add(kernel, "__lock_text_start", "__lock_text_end");
  }
  bool Contains(Kva ip) const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [&](const TextRange& range) { return range.Contains(ip); });
  }

 private:
  void Add(const GuestKernel& kernel, const char* begin, const char* end) {
    const auto from = kernel.symbol_kva(begin), to = kernel.symbol_kva(end);
    if (from && to) ranges_.push_back({*from, *to});
  }
  std::vector<TextRange> ranges_;
};

bool Sleeps(const TaskRow& task) {
  return task.state_raw && task.state_raw->value != 0 && task.on_rq == 0 && task.on_cpu == 0;
}

}  // namespace

void AddWaitChannels(const GuestKernel& kernel, std::span<const StackFrameRow> frames,
                     std::vector<TaskRow>& tasks) {
  std::unordered_map<uint64_t, TaskRow*> sleeping;
  for (TaskRow& task : tasks) {
    if (task.task_kva && Sleeps(task)) sleeping.emplace(task.task_kva->value, &task);
  }
  const WaitingText waiting(kernel);
  for (const StackFrameRow& frame : frames) {
    if (!frame.ip || frame.kind == "end") continue;
    const auto task = sleeping.find(frame.task_kva.value);
    if (task == sleeping.end() || waiting.Contains(Kva(frame.ip->value))) continue;
    task->second->wait_channel = frame.symbol;
    sleeping.erase(task);
  }
}

}  // namespace ktstr
