#include "ktstr/walk/system/workqueue_name.h"

namespace ktstr {

WorkqueueNames::WorkqueueNames(const GuestKernel& kernel, const TypeInfo& types,
                               Anomalies& anomalies)
    : kernel_(kernel), anomalies_(anomalies) {
  name_ = Fields(types, "workqueue_struct", anomalies).Maybe("name");
  pwq_wq_ = Fields(types, "pool_workqueue", anomalies).Maybe("wq");
}

std::optional<std::string> WorkqueueNames::NameOf(Kva workqueue) {
  if (workqueue.is_null()) return std::nullopt;
  const auto [found, is_new] = known_.try_emplace(workqueue.value());
  if (is_new) {
    found->second = CellReader(kernel_, workqueue, "a workqueue", anomalies_).Text(name_);
  }
  return found->second;
}

std::optional<std::string> WorkqueueNames::NameOfPwq(Kva pwq) {
  if (pwq.is_null()) return std::nullopt;
  const auto [found, is_new] = known_pwqs_.try_emplace(pwq.value());
  if (is_new) {
    const auto queue = CellReader(kernel_, pwq, "a pool_workqueue", anomalies_).Pointer(pwq_wq_);
    if (queue) found->second = NameOf(*queue);
  }
  return found->second;
}

}  // namespace ktstr
