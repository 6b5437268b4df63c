// A whole corpus in one file, and back.
#pragma once

#include <filesystem>
#include <functional>

#include "analyze/corpus/corpus.h"
#include "libcore/archive/pack/pack_writer.h"
#include "libcore/base/result.h"

namespace ktstr {

// Archives, entries, expected answers and questions; nothing that is derived. Errors: those of
// WritePack; kIo.
Result<PackSummary> PackCorpus(const Corpus& corpus, const std::filesystem::path& pack,
                               const PackOptions& options);

// Makes the corpus again in a directory that is empty or not there; every archive bit for bit.
// `progress` is told of each archive. Errors: kExists when the directory is not empty; those of
// PackReader; kDamaged for a pack that is not one of a corpus.
Result<Corpus> UnpackCorpus(const std::filesystem::path& pack,
                            const std::filesystem::path& directory,
                            const std::function<void(size_t done, size_t all)>& progress = nullptr);

}  // namespace ktstr
