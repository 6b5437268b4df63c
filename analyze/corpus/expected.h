// The answers that a corpus expects: DIR/expected/NAME/QUESTION.csv.
#pragma once

#include <string>
#include <vector>

#include "analyze/corpus/questions.h"
#include "replay/snapshot_memory.h"

namespace ktstr {

// One that is not the expected one.
struct OtherAnswer {
  std::string question;
  std::vector<std::string> lines;  // "-expected", "+found"; the error where there is no answer
  bool unknown = false;            // nothing was expected yet
};

// What differs from what is expected, for each question that does; a file that no question belongs
// to is a difference, too. Errors: those of OpenIndex; kIo.
Result<std::vector<OtherAnswer>> CompareWithExpected(const Corpus& corpus, const CorpusEntry& entry,
                                                     const std::vector<Question>& questions,
                                                     double timeout_s,
                                                     SnapshotMemoryOptions memory);

// Makes what is found now what is expected. Errors: those of OpenIndex and AnswerTo; kIo.
Status UpdateExpected(const Corpus& corpus, const CorpusEntry& entry,
                      const std::vector<Question>& questions, double timeout_s,
                      SnapshotMemoryOptions memory);

// The lines that differ, of two texts: a longest common subsequence where the texts are small, else
// from the first to the last difference.
std::vector<std::string> DifferingLines(const std::string& expected, const std::string& found);

}  // namespace ktstr
