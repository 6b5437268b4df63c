#include "libcore/walk/task/task_identity.h"

namespace ktstr {

TaskIdentities::TaskIdentities(const Walk& walk) : walk_(walk) {}

TaskIdentity TaskIdentities::Of(Kva task) const {
  if (task.is_null()) return {};
  CellReader object(walk_, task, "a task");
  return {object.Integer(task_.pid), object.Text(task_.comm)};
}

}  // namespace ktstr
