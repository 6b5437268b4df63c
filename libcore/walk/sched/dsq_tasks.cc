#include "libcore/walk/sched/dsq_tasks.h"

#include <fmt/format.h>

#include "libcore/walk/container/list.h"
#include "libcore/walk/container/rb_tree.h"

namespace ktstr {

namespace {
// SCX_DSQ_LNODE_ITER_CURSOR in include/linux/sched/ext.h: an iterator's place, not a task.
constexpr uint64_t kCursor = 1;
}  // namespace

DsqTasks::DsqTasks(const Walk& walk) : walk_(walk) {}

std::vector<Kva> DsqTasks::InListOrder(Kva dsq, std::string_view name) const {
  std::vector<Kva> tasks;
  if (!queue_.list || !task_.list_node) return tasks;
  for (const Kva node : WalkList(walk_, dsq + queue_.list->offset, name)) {
    const Kva task = node - task_.list_node->offset;
    // A cursor is a bare list node with its flags: nothing else of a task may be read there.
    if (task_.list_flags) {
      CellReader entry(walk_, task, "a node of a dispatch queue");
      if ((entry.Unsigned(task_.list_flags).value_or(0) & kCursor) != 0) continue;
    }
    tasks.push_back(task);
  }
  return tasks;
}

std::vector<Kva> DsqTasks::InVtimeOrder(Kva dsq, std::string_view name) const {
  std::vector<Kva> tasks;
  if (!queue_.priq || !task_.priq) return tasks;
  for (const Kva node :
       WalkRbTree(walk_, dsq + queue_.priq->offset, fmt::format("{} by vtime", name))) {
    tasks.push_back(node - task_.priq->offset);
  }
  return tasks;
}

}  // namespace ktstr
