// What a corpus holds, as a table, and what of it may go.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/corpus/corpus.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct CorpusRow {
  std::string name, digest, tags;
  int64_t bytes = 0;
  int64_t captured_at_ns = 0;
  std::optional<std::string> captured_at, release, trigger, kept;
  std::string added_at;
  int64_t has_scenario = 0;

  static const RowTable<CorpusRow>& Table();
};

// One row for each entry, in their order. Reads each archive's directory, none of its pages.
// Errors: those of ArchiveReader::Open, with the archive's name.
Result<RowSet<CorpusRow>> ListCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries);

struct PruneOptions {
  std::optional<std::chrono::nanoseconds> older_than;  // since their capture
  std::optional<uint64_t> max_bytes;                   // of all archives together
  std::vector<std::string> keep_tags;                  // archives with one of them stay
};

// Which of them go: those that are too old, and then the oldest of the others until the rest is
// small enough. `now_ns` is Unix time.
std::vector<CorpusRow> ChooseToPrune(const std::vector<CorpusRow>& rows,
                                     const PruneOptions& options, int64_t now_ns);

}  // namespace ktstr
