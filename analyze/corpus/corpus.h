// A corpus: a directory of archives that are kept to be asked again and again.
//
//   DIR/corpus.toml                 says that DIR is one
//   DIR/archives/DIGEST.kts         an archive, named after what it holds: never there twice
//   DIR/archives/DIGEST.toml        its name, tags and scenario (entry.h)
//   DIR/expected/NAME/QUESTION.csv  answers that must not change (expected.h)
//   DIR/questions/QUESTION.sql      further questions of the user's
//
// Everything else in it (*.index, merged.index) is derived and can be thrown away.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "analyze/corpus/entry.h"
#include "libcore/base/result.h"

namespace ktstr {

struct NewEntry {
  std::filesystem::path archive;
  std::string name;  // empty: the file's, without suffix
  std::vector<std::string> tags;
  std::string scenario;
};

class Corpus {
 public:
  // Errors: kNotFound when the directory is no corpus; those of ReadEntry; kDamaged when an entry
  // has no archive, or two have one name.
  //
  // Who means to change it waits until nobody else does, and keeps others from it as long as this
  // object and its copies live.
  enum class Purpose { kRead, kChange };
  static Result<Corpus> Open(const std::filesystem::path& directory,
                             Purpose purpose = Purpose::kRead);
  // Makes an empty directory (or one that is not there) a corpus first, to be changed. Errors:
  // kExists when there are other things in it; kIo.
  static Result<Corpus> OpenOrCreate(const std::filesystem::path& directory);

  const std::filesystem::path& directory() const { return directory_; }
  // By name.
  const std::vector<CorpusEntry>& entries() const { return entries_; }
  // Archives without an entry: adding was interrupted. They can be added again.
  const std::vector<std::filesystem::path>& unlisted() const { return unlisted_; }
  std::filesystem::path ArchiveOf(const CorpusEntry& entry) const;
  std::filesystem::path ExpectedOf(const CorpusEntry& entry) const;  // a directory

  // Those with every one of the tags.
  std::vector<CorpusEntry> WithTags(const std::vector<std::string>& tags) const;
  // By name, or by the first digits of its digest (at least four). Errors: kNotFound, with the
  // nearest name; kAmbiguous.
  Result<CorpusEntry> Find(const std::string& name) const;

  // Copies an archive that is whole into the corpus. Errors: kExists when it is there already or
  // another one has its name; kDamaged; those of ArchiveReader; kInvalidArgument for a name.
  Result<CorpusEntry> Add(const NewEntry& added);
  // Removes an archive, its entry, its index and what is expected of it. Errors: kIo.
  Status Remove(const CorpusEntry& entry);

 private:
  explicit Corpus(std::filesystem::path directory) : directory_(std::move(directory)) {}
  Status Load();
  std::filesystem::path EntryFileOf(const CorpusEntry& entry) const;

  std::filesystem::path directory_;
  std::shared_ptr<const void> lock_;  // none of who only reads
  std::vector<CorpusEntry> entries_;
  std::vector<std::filesystem::path> unlisted_;
};

}  // namespace ktstr
