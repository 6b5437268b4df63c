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

// In the entries' order; `done` is told of each.
// `rules` must outlive what is returned.
std::vector<ArchiveCheck> CheckCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                                      const std::vector<Rule>& rules, const CheckOptions& options,
                                      const CorpusWork& work,
                                      const std::function<void(const ArchiveCheck&)>& done);

// A line for each archive: how many rules hold and fail, and which fail.
std::string ToText(const std::vector<ArchiveCheck>& checks, size_t terminal_width);
std::string ToJson(const std::vector<ArchiveCheck>& checks);
std::vector<CaseResult> ForCi(const std::vector<ArchiveCheck>& checks, Severity fail_on);

}  // namespace ktstr
