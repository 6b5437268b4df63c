// Where in the kernel's log the verdict happened.
#pragma once

#include <cstdint>
#include <optional>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// The number (log.seq) of the first line that the verdict rests on; nothing where it rests on none.
// Errors: those of Database::Query.
Result<std::optional<int64_t>> LogMoment(const Database& index);

}  // namespace ktstr
