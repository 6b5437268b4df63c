// The merged index: every table and view of every archive of a corpus in one SQLite file, with the
// archive's name before each row. Derived data, made again where the corpus has changed.
#pragma once

#include <functional>

#include "analyze/corpus/archive_failures.h"
#include "analyze/corpus/corpus.h"
#include "analyze/corpus/parallel.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

struct MergedIndex {
  Database database;  // opened for reading
  ArchiveFailures failures;
};

// DIR/merged.index, brought up to date: archives that are new are added, those that are gone
// removed; made anew when the tables' declarations have changed. Several indexes are built
// at a time. Those of `failures` are not in it, and are tried again the next time. `progress` is
// told how many of those that are new are done. Errors: kNotFound for an empty corpus; those of
// OpenIndex, with the archive's name, when no archive can be opened; kInterrupted; kIo.
Result<MergedIndex> OpenMerged(
    const Corpus& corpus, const CorpusWork& work,
    const std::function<void(size_t done, size_t all)>& progress = nullptr);

}  // namespace ktstr
