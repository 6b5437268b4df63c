#include "ktstr/walk/task_identity.h"

namespace ktstr {

TaskIdentities::TaskIdentities(const Walk& walk) : walk_(walk) {
  Fields task(walk, "task_struct");
  pid_ = task.Need("pid");
  comm_ = task.Need("comm");
}

TaskIdentity TaskIdentities::Of(Kva task) const {
  if (task.is_null()) return {};
  CellReader object(walk_, task, "a task");
  return {object.Integer(pid_), object.Text(comm_)};
}

}  // namespace ktstr
