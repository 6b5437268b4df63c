// Rules over all archives of a corpus at once.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyze/check/check.h"
#include "analyze/corpus/corpus.h"
#include "analyze/corpus/parallel.h"

namespace ktstr {

struct ArchiveCheck {
  CorpusEntry entry;
  std::vector<RuleResult> results;
  std::string error;  // when the archive could not be asked at all
};

// Hands over what became of each archive, in the entries' order, and keeps nothing of it. Errors:
// those of `take`, at the first of which it ends. `rules` must outlive what is handed over.
Status CheckCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                   const std::vector<Rule>& rules, const CheckOptions& options,
                   const CorpusWork& work, const std::function<Status(const ArchiveCheck&)>& take);

// A line for each archive: how many rules hold and fail, and which fail.
class CorpusCheckText {
 public:
  void Add(const ArchiveCheck& check);
  std::string Text(size_t terminal_width) const;

 private:
  QueryResult table_{{"archive", "hold", "fail", "not_applicable", "failing"}, {}};
  size_t clean_ = 0;
};

// An array with an object for each archive, in pieces that are written one after the other.
class CorpusCheckJson {
 public:
  std::string Add(const ArchiveCheck& check);
  std::string End() const;

 private:
  bool begun_ = false;
};

std::vector<CaseResult> ForCi(const ArchiveCheck& check, Severity fail_on);

}  // namespace ktstr
