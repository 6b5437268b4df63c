#include "ktstr/walk/sched/dsq_tasks.h"

#include <fmt/format.h>

#include "ktstr/walk/container/rb_tree.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {
// SCX_DSQ_LNODE_ITER_CURSOR in include/linux/sched/ext.h: an iterator's place, not a task.
constexpr uint64_t kCursor = 1;
}  // namespace

DsqTasks::DsqTasks(const Walk& walk) : walk_(walk) {
  Fields queue(walk, "scx_dispatch_q");
  list_ = queue.Maybe("list");
  priq_ = queue.Maybe("priq");
  Fields task(walk, "task_struct");
  list_node_ = task.Maybe("scx.dsq_list.node", "scx.dsq_node.list");
  flags_ = task.Maybe("scx.dsq_list.flags");
  priq_node_ = task.Maybe("scx.dsq_priq", "scx.dsq_node.priq");
}

std::vector<Kva> DsqTasks::InListOrder(Kva dsq, std::string_view name) const {
  std::vector<Kva> tasks;
  if (!list_ || !list_node_) return tasks;
  for (const Kva node : WalkList(walk_, dsq + list_->offset, name)) {
    const Kva task = node - list_node_->offset;
    // A cursor is a bare list node with its flags: nothing else of a task may be read there.
    if (flags_) {
      CellReader entry(walk_, task, "a node of a dispatch queue");
      if ((entry.Unsigned(flags_).value_or(0) & kCursor) != 0) continue;
    }
    tasks.push_back(task);
  }
  return tasks;
}

std::vector<Kva> DsqTasks::InVtimeOrder(Kva dsq, std::string_view name) const {
  std::vector<Kva> tasks;
  if (!priq_ || !priq_node_) return tasks;
  for (const Kva node : WalkRbTree(walk_, dsq + priq_->offset, fmt::format("{} by vtime", name))) {
    tasks.push_back(node - priq_node_->offset);
  }
  return tasks;
}

}  // namespace ktstr
