#include "analyze/corpus/corpus.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <span>
#include <string_view>
#include <system_error>

#include "analyze/corpus/copy_into.h"
#include "libcore/archive/reader.h"
#include "libcore/base/in_the_making.h"
#include "libcore/base/nearest_word.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/temporary_file.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

constexpr const char* kMarker = "corpus.toml";
constexpr size_t kLeastDigits = 4;  // of a digest, to name an archive

Error IoError(const std::string& doing, const fs::path& path, const std::error_code& error) {
  return Error(ErrorCode::kIo, fmt::format("{} '{}': {}", doing, path.string(), error.message()));
}

// Never replaces one: who waits for its lock would wait for a file that is gone.
Status WriteMarker(const fs::path& path) {
  constexpr std::string_view kText =
      "# A corpus of frozen machines, for ktstr-analyze corpus.\n"
      "version = 1\n";
  auto file = OutputFile::Create(path, OutputFile::Existing::kKeep);
  Status written = file ? file->Append(std::as_bytes(std::span(kText))) : Fail(file.error());
  if (written) written = file->Publish();
  // Another process was faster.
  if (!written && written.error().code() == ErrorCode::kExists) return {};
  return written;
}

// Waits for the lock of a file, and gives it back with the last copy of what this yields.
Result<std::shared_ptr<const void>> LockFile(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  int locked = -1;
  do {
    locked = fd < 0 ? -1 : flock(fd, LOCK_EX);
  } while (fd >= 0 && locked != 0 && errno == EINTR);
  if (locked != 0) {
    const std::error_code error(errno, std::system_category());
    if (fd >= 0) close(fd);
    return Fail(IoError("locking", path, error));
  }
  return std::shared_ptr<const void>(new int(fd), [](const int* held) {
    close(*held);
    delete held;
  });
}

// Never half a file under its name.
Status Copy(const fs::path& from, const fs::path& to) {
  TemporaryFile temporary = KTSTR_TRY(TemporaryFile::Beside(to));
  KTSTR_TRY(CopyInto(from, temporary));
  return temporary.Keep();
}

std::string Now() {
  const auto now =
      std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
  return fmt::format("{:%FT%TZ}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)));
}

}  // namespace

fs::path Corpus::ArchiveOf(const CorpusEntry& entry) const {
  return directory_ / "archives" / (entry.digest + ".kts");
}

fs::path Corpus::EntryFileOf(const CorpusEntry& entry) const {
  return directory_ / "archives" / (entry.digest + ".toml");
}

fs::path Corpus::ExpectedOf(const CorpusEntry& entry) const {
  return directory_ / "expected" / entry.name;
}

Result<Corpus> Corpus::Open(const fs::path& directory, Purpose purpose) {
  std::error_code ignored;
  if (!fs::exists(directory / kMarker, ignored)) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("'{}' is no corpus; 'ktstr-analyze corpus add {} FILE.kts' makes one",
                            directory.string(), directory.string()));
  }
  Corpus corpus(directory);
  if (purpose == Purpose::kChange) corpus.lock_ = KTSTR_TRY(LockFile(directory / kMarker));
  KTSTR_TRY(corpus.Load());
  return corpus;
}

Result<Corpus> Corpus::OpenOrCreate(const fs::path& directory) {
  std::error_code ignored;
  const fs::path marker = directory / kMarker;
  if (!fs::exists(marker, ignored)) {
    // Another process may make it a corpus meanwhile.
    const bool others =
        std::ranges::any_of(fs::directory_iterator(directory, ignored),
                            [](const auto& entry) { return !IsNameInTheMaking(entry.path()); });
    if (others && !fs::exists(marker, ignored)) {
      return Fail(ErrorCode::kExists,
                  fmt::format("'{}' is no corpus, and not empty: name a directory of its own",
                              directory.string()));
    }
    KTSTR_TRY(MakePrivateDirectories(directory));
    KTSTR_TRY(WriteMarker(marker));
  }
  return Open(directory, Purpose::kChange);
}

Status Corpus::Load() {
  const fs::path archives = directory_ / "archives";
  KTSTR_TRY(MakePrivateDirectories(archives));  // version control keeps no empty ones
  std::error_code error;
  for (const auto& file : fs::directory_iterator(archives, error)) {
    const fs::path& path = file.path();
    if (path.extension() == ".kts" && !fs::exists(fs::path(path).replace_extension(".toml")))
      unlisted_.push_back(path);
    if (path.extension() != ".toml") continue;
    CorpusEntry entry = KTSTR_TRY(ReadEntry(path));
    if (!fs::exists(ArchiveOf(entry))) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("{}: its archive '{}' is not there", path.string(),
                              ArchiveOf(entry).filename().string()));
    }
    entries_.push_back(std::move(entry));
  }
  if (error) return Fail(IoError("reading", archives, error));
  std::ranges::sort(entries_, {}, &CorpusEntry::name);
  const auto twice = std::ranges::adjacent_find(entries_, {}, &CorpusEntry::name);
  if (twice != entries_.end()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("two archives of '{}' are called '{}': {} and {}", directory_.string(),
                            twice->name, twice->digest, std::next(twice)->digest));
  }
  return {};
}

std::vector<CorpusEntry> Corpus::WithTags(const std::vector<std::string>& tags) const {
  std::vector<CorpusEntry> chosen;
  std::ranges::copy_if(entries_, std::back_inserter(chosen), [&](const CorpusEntry& entry) {
    return std::ranges::all_of(tags, [&](const std::string& tag) {
      return std::ranges::find(entry.tags, tag) != entry.tags.end();
    });
  });
  return chosen;
}

Result<CorpusEntry> Corpus::Find(const std::string& name) const {
  std::vector<std::string_view> names;
  std::vector<const CorpusEntry*> by_digest;
  for (const CorpusEntry& entry : entries_) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
    if (name.size() >= kLeastDigits && entry.digest.starts_with(name)) by_digest.push_back(&entry);
  }
  if (by_digest.size() == 1) return *by_digest[0];
  if (by_digest.size() > 1) {
    return Fail(
        ErrorCode::kAmbiguous,
        fmt::format("{} archives have a digest that begins with '{}'", by_digest.size(), name));
  }
  return Fail(ErrorCode::kNotFound, UnknownWord("archive", name, names));
}

Result<CorpusEntry> Corpus::Add(const NewEntry& added) {
  CorpusEntry entry{.digest = {},
                    .name = added.name.empty() ? added.archive.stem().string() : added.name,
                    .added_at = Now(),
                    .tags = added.tags,
                    .scenario = added.scenario};
  KTSTR_TRY(CheckWord("name", entry.name));
  for (const std::string& tag : entry.tags) KTSTR_TRY(CheckWord("tag", tag));
  const auto reader = KTSTR_TRY(ArchiveReader::Open(added.archive));
  entry.digest = reader->digest();
  for (const CorpusEntry& other : entries_) {
    if (other.digest == entry.digest) {
      return Fail(ErrorCode::kExists, fmt::format("'{}' is in the corpus already, as '{}'",
                                                  added.archive.string(), other.name));
    }
    if (other.name == entry.name) {
      return Fail(
          ErrorCode::kExists,
          fmt::format("another archive is called '{}': give this one a --name", entry.name));
    }
  }
  KTSTR_TRY(reader->CheckOtherSections());
  const std::vector<uint64_t> damaged = KTSTR_TRY(reader->FindDamagedFrames());
  if (!damaged.empty()) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("'{}' is damaged: {} of its {} memory frames", added.archive.string(),
                            damaged.size(), reader->frame_count()));
  }
  // An archive without an entry, should it end here, is not listed and can be added again.
  KTSTR_TRY(Copy(added.archive, ArchiveOf(entry)));
  if (Status written = WriteEntry(EntryFileOf(entry), entry); !written) {
    std::error_code ignored;
    fs::remove(ArchiveOf(entry), ignored);
    return Fail(std::move(written).error());
  }
  std::erase(unlisted_, ArchiveOf(entry));
  entries_.insert(std::ranges::upper_bound(entries_, entry.name, {}, &CorpusEntry::name), entry);
  return entry;
}

Status Corpus::Remove(const CorpusEntry& entry) {
  const fs::path archive = ArchiveOf(entry);
  for (const fs::path& path :
       {EntryFileOf(entry), archive, fs::path(archive.string() + ".index"), ExpectedOf(entry)}) {
    std::error_code error;
    fs::remove_all(path, error);
    if (error) return Fail(IoError("removing", path, error));
  }
  std::erase_if(entries_, [&](const CorpusEntry& other) { return other.digest == entry.digest; });
  return {};
}

}  // namespace ktstr
