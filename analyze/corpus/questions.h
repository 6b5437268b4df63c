// Questions that are asked of every archive of a corpus, and whose answers must not change: a
// regression test of the analysis itself, and of the kernel or scheduler that made the archives.
#pragma once

#include <string>
#include <vector>

#include "analyze/corpus/corpus.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

struct Question {
  std::string name;
  std::string sql;
};

// The built-in ones (findings, rules, tables, scheduler), and the corpus's own (questions/*.sql),
// by name. Errors: kIo; kInvalidArgument when one of the corpus's has a built-in one's name.
Result<std::vector<Question>> QuestionsOf(const Corpus& corpus);

// The answer as CSV, with line ends that tools for text and version control like. Errors: those of
// Database::Query.
Result<std::string> AnswerTo(const Question& question, const Database& index, double timeout_s);

}  // namespace ktstr
