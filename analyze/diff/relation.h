// Whether two archives are of one run of a machine, and how far apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

struct Relation {
  bool one_run = false;
  std::string why;  // what tells; a clause without a full stop
  // From the first archive to the second by the guest's clock; negative when the second was frozen
  // earlier. Only of one run.
  std::optional<int64_t> elapsed_ns;
};

// Compares the schemas "a" and "b". One run of a kernel is what booted once: the same build, at the
// same place (KASLR chooses it at each boot), with the same init: its task_struct at the same
// address, started at the same nanosecond of the kernel's clock. The last also tells boots apart
// where KASLR is off. What only one archive knows tells nothing. Errors: those of Database::Query.
Result<Relation> RelationOf(const Database& both);

}  // namespace ktstr
