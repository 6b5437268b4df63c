// Names of workqueues.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "libcore/walk/row/fields.h"

namespace ktstr {

struct WorkqueueNameMembers : Fields {
  explicit WorkqueueNameMembers(const Walk& walk) : Fields(walk, "workqueue_struct") {}
  MaybeMember name = Maybe("name");
};

struct PwqNameMembers : Fields {
  explicit PwqNameMembers(const Walk& walk) : Fields(walk, "pool_workqueue") {}
  MaybeMember wq = Maybe("wq");
};

class WorkqueueNames {
 public:
  explicit WorkqueueNames(const Walk& walk);

  // Of the struct workqueue_struct, remembered. Nothing for a null pointer; what cannot be read is
  // an anomaly, once.
  std::optional<std::string> NameOf(Kva workqueue);
  // Of the struct pool_workqueue's.
  std::optional<std::string> NameOfPwq(Kva pwq);

 private:
  Walk walk_;
  WorkqueueNameMembers queue_{walk_};
  PwqNameMembers pwq_{walk_};
  std::unordered_map<uint64_t, std::optional<std::string>> known_, known_pwqs_;
};

}  // namespace ktstr
