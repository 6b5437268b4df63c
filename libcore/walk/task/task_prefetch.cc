#include "libcore/walk/task/task_prefetch.h"

#include <tuple>

#include "libcore/base/side_thread.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

// struct list_head, include/linux/types.h.
struct Links {
  uint64_t next, prev;
};

}  // namespace

TaskPrefetch::TaskPrefetch(const GuestKernel& kernel)
    : kernel_(kernel), thread_(TryThread([this] { Run(); })) {}

void TaskPrefetch::Run() {
  Anomalies ignored("");
  const auto walk = Walk::Of(kernel_, ignored);
  const auto init_task = kernel_.symbol_kva("init_task");
  if (!walk || !init_task) return;
  const TaskListMembers task(*walk);
  const MaybeMember thread_head = SignalMembers(*walk).thread_head;
  if (!task.tasks || !task.signal || !thread_head) return;
  const Kva head = *init_task + task.tasks->offset;
  Kva later = head;
  auto links = kernel_.Read<Links>(head);
  while (links && !over_.load(std::memory_order_relaxed)) {
    const Kva node(links->prev);
    if (node == head) return;
    links = kernel_.Read<Links>(node);
    // What leads elsewhere is no list to go along.
    if (!links || Kva(links->next) != later) return;
    const auto signal = kernel_.Read<uint64_t>(node - task.tasks->offset + task.signal->offset);
    if (signal) std::ignore = kernel_.Read<uint64_t>(Kva(*signal) + thread_head->offset);
    later = node;
  }
}

}  // namespace ktstr
