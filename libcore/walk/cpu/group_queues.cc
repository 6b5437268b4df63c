#include "libcore/walk/cpu/group_queues.h"

namespace ktstr {

// Up to 7.1 task_group.cfs_rq points to an array of pointers, by CPU. From 7.2 on it is a per-CPU
// pointer to the queues themselves. The type that it points to tells which.
GroupQueues::GroupQueues(const Walk& walk)
    : walk_(walk), cfs_rq_(Fields(walk, "task_group").Maybe("cfs_rq")) {
  if (!cfs_rq_) return;
  const TypeId target = walk.types.WithoutQualifiers(walk.types.Target(cfs_rq_->type));
  per_cpu_ = walk.types.KindOf(target) == TypeKind::kStruct;
}

std::optional<Kva> GroupQueues::Of(CellReader& group, uint32_t cpu) const {
  const auto queues = group.Pointer(cfs_rq_);
  if (!queues || queues->is_null()) return std::nullopt;
  const auto queue = per_cpu_ ? walk_.kernel.PerCpu(*queues, cpu)
                              : walk_.kernel.Read<Kva>(*queues + uint64_t{cpu} * sizeof(Kva));
  if (!queue) {
    group.Report(queue.error());
    return std::nullopt;
  }
  if (queue->is_null()) return std::nullopt;
  return *queue;
}

}  // namespace ktstr
