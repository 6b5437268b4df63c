// The summary: one screen that says what a frozen machine was doing.
#pragma once

#include <string>

#include "analyze/index/database.h"

namespace ktstr {

// Text for people. `name` is what the user called the archive. Errors: those of Database::Query.
Result<std::string> SummaryText(const Database& index, const std::string& name, size_t max_width);

// The same facts as an object with one key per part.
Result<std::string> SummaryJson(const Database& index);

}  // namespace ktstr
