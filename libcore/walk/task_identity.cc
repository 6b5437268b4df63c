#include "ktstr/walk/task_identity.h"

namespace ktstr {

TaskIdentities::TaskIdentities(const GuestKernel& kernel, const TypeInfo& types,
                               Anomalies& anomalies)
    : kernel_(kernel), anomalies_(anomalies) {
  Fields task(types, "task_struct", anomalies);
  pid_ = task.Need("pid");
  comm_ = task.Need("comm");
}

TaskIdentity TaskIdentities::Of(Kva task) const {
  if (task.is_null()) return {};
  CellReader object(kernel_, task, "a task", anomalies_);
  return {object.Integer(pid_), object.Text(comm_)};
}

}  // namespace ktstr
