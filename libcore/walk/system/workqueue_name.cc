#include "libcore/walk/system/workqueue_name.h"

namespace ktstr {

WorkqueueNames::WorkqueueNames(const Walk& walk) : walk_(walk) {}

std::optional<std::string> WorkqueueNames::NameOf(Kva workqueue) {
  if (workqueue.is_null()) return std::nullopt;
  const auto [found, is_new] = known_.try_emplace(workqueue.value());
  if (is_new) {
    found->second = CellReader(walk_, workqueue, "a workqueue").Text(queue_.name);
  }
  return found->second;
}

std::optional<std::string> WorkqueueNames::NameOfPwq(Kva pwq) {
  if (pwq.is_null()) return std::nullopt;
  const auto [found, is_new] = known_pwqs_.try_emplace(pwq.value());
  if (is_new) {
    const auto queue = CellReader(walk_, pwq, "a pool_workqueue").Pointer(pwq_.wq);
    if (queue) found->second = NameOf(*queue);
  }
  return found->second;
}

}  // namespace ktstr
