#include "ktstr/walk/sched/dsq_tasks.h"

#include <fmt/format.h>

#include "ktstr/walk/container/rb_tree.h"
#include "ktstr/walk/list.h"

namespace ktstr {

namespace {
// SCX_DSQ_LNODE_ITER_CURSOR in include/linux/sched/ext.h: an iterator's place, not a task.
constexpr uint64_t kCursor = 1;
}  // namespace

DsqTasks::DsqTasks(const GuestKernel& kernel, const TypeInfo& types, Anomalies& anomalies)
    : kernel_(kernel), anomalies_(anomalies) {
  Fields queue(types, "scx_dispatch_q", anomalies);
  list_ = queue.Maybe("list");
  priq_ = queue.Maybe("priq");
  Fields task(types, "task_struct", anomalies);
  list_node_ = task.Maybe({"scx.dsq_list.node", "scx.dsq_node.list"});
  flags_ = task.Maybe("scx.dsq_list.flags");
  priq_node_ = task.Maybe({"scx.dsq_priq", "scx.dsq_node.priq"});
}

std::vector<Kva> DsqTasks::InListOrder(Kva dsq, const WalkLimits& limits,
                                       std::string_view name) const {
  std::vector<Kva> tasks;
  if (!list_ || !list_node_) return tasks;
  for (const Kva node : WalkList(kernel_, dsq + list_->offset, limits, name, anomalies_)) {
    const Kva task = node - list_node_->offset;
    // A cursor is a bare list node with its flags: nothing else of a task may be read there.
    if (flags_) {
      CellReader entry(kernel_, task, "a node of a dispatch queue", anomalies_);
      if ((entry.Unsigned(flags_).value_or(0) & kCursor) != 0) continue;
    }
    tasks.push_back(task);
  }
  return tasks;
}

std::vector<Kva> DsqTasks::InVtimeOrder(Kva dsq, const WalkLimits& limits,
                                        std::string_view name) const {
  std::vector<Kva> tasks;
  if (!priq_ || !priq_node_) return tasks;
  for (const Kva node : WalkRbTree(kernel_, dsq + priq_->offset, limits,
                                   fmt::format("{} by vtime", name), anomalies_)) {
    tasks.push_back(node - priq_node_->offset);
  }
  return tasks;
}

}  // namespace ktstr
