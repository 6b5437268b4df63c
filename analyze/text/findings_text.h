// The verdict and the findings as people read them: the cause in a sentence, and folded below it
// what it explains.
#pragma once

#include <string>

#include "analyze/index/database.h"

namespace ktstr {

// Sentence, certainty, and what it explains. Errors: those of Database::Query.
Result<std::string> VerdictText(const Database& index, size_t max_width);

// What else was found and is not explained, a line each with its severity, at most `limit` of them.
// Empty where there is nothing. Errors: those of Database::Query.
Result<std::string> OtherFindingsText(const Database& index, size_t max_width, size_t limit);

enum class FindingsShown {
  kFolded,  // the verdict, and what it does not explain
  kAll,     // each one, below its cause
};
// Errors: those of Database::Query.
Result<std::string> FindingsText(const Database& index, size_t max_width, FindingsShown shown);

}  // namespace ktstr
