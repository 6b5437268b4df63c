// What a corpus holds, as a table, and what of it may go.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/corpus/archive_failures.h"
#include "analyze/corpus/corpus.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct CorpusRow {
  std::string name, digest, tags;
  std::optional<int64_t> bytes, captured_at_ns;
  std::optional<std::string> captured_at, release, trigger, kept;
  std::string added_at;
  int64_t has_scenario = 0;

  static const RowTable<CorpusRow>& Table();
};

// One row for each entry, in their order. Reads each archive's directory, none of its pages. Of an
// archive that cannot be opened the row has what the corpus and the file system say; it is added to
// `failures`. Errors: those of ArchiveFailures::Add.
Result<RowSet<CorpusRow>> ListCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                                     ArchiveFailures* failures);

struct PruneOptions {
  std::optional<std::chrono::nanoseconds> older_than;  // since their capture
  std::optional<uint64_t> max_bytes;                   // of all archives together
  std::vector<std::string> keep_tags;                  // archives with one of them stay
};

// Which of them go: those that are too old, and then the oldest of the others until the rest is
// small enough. One whose time is not known is not too old, and counts as the youngest. `now_ns` is
// Unix time.
std::vector<CorpusRow> ChooseToPrune(const std::vector<CorpusRow>& rows,
                                     const PruneOptions& options, int64_t now_ns);

}  // namespace ktstr
