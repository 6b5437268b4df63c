#include "analyze/corpus/corpus_pack.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "libcore/archive/pack/pack_reader.h"
#include "libcore/base/private_directory.h"
#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

Error FileError(const std::string& doing, const fs::path& path, const std::error_code& error) {
  return Error(ErrorCode::kIo, fmt::format("{} '{}': {}", doing, path.string(), error.message()));
}

// What people wrote, and what they decided: no archive, no index.
bool IsKept(const fs::path& path) {
  return path.extension() == ".toml" || path.extension() == ".csv" || path.extension() == ".sql";
}

Result<std::vector<PackedFile>> FilesOf(const fs::path& directory) {
  std::vector<PackedFile> files;
  std::error_code error;
  for (const auto& file : fs::recursive_directory_iterator(directory, error)) {
    if (!file.is_regular_file() || !IsKept(file.path())) continue;
    files.push_back({fs::relative(file.path(), directory).generic_string(),
                     KTSTR_TRY(ReadTextFile(file.path()))});
  }
  if (error) return Fail(FileError("reading", directory, error));
  std::ranges::sort(files, {}, &PackedFile::name);
  return files;
}

// A pack comes from anywhere: no name may lead out of the directory.
Status CheckName(const std::string& name) {
  const fs::path path(name);
  const bool safe =
      !path.empty() && path.is_relative() && std::ranges::all_of(path, [](const fs::path& part) {
        return CheckWord("name", part.string()).has_value();
      });
  if (safe) return {};
  return Fail(ErrorCode::kDamaged,
              fmt::format("the pack has a file with the name '{}'", SafeText(name)));
}

}  // namespace

Result<PackSummary> PackCorpus(const Corpus& corpus, const fs::path& pack,
                               const PackOptions& options) {
  std::vector<PackedArchive> archives;
  for (const CorpusEntry& entry : corpus.entries()) {
    const fs::path archive = corpus.ArchiveOf(entry);
    archives.push_back({fs::relative(archive, corpus.directory()).generic_string(), archive});
  }
  return WritePack(pack, archives, KTSTR_TRY(FilesOf(corpus.directory())), options);
}

Result<Corpus> UnpackCorpus(const fs::path& pack, const fs::path& directory,
                            const std::function<void(size_t done, size_t all)>& progress) {
  const auto reader = KTSTR_TRY(PackReader::Open(pack));
  const std::vector<PackedFile> files = KTSTR_TRY(reader->ReadFiles());
  for (const PackedFile& file : files) KTSTR_TRY(CheckName(file.name));
  for (const auto& archive : reader->archives()) KTSTR_TRY(CheckName(archive.name));
  std::error_code error;
  if (fs::exists(directory, error) && !fs::is_empty(directory, error)) {
    return Fail(ErrorCode::kExists,
                fmt::format("'{}' is there, and not empty", directory.string()));
  }
  for (size_t i = 0; i < reader->archives().size(); ++i) {
    const fs::path path = directory / reader->archives()[i].name;
    KTSTR_TRY(MakePrivateDirectories(path.parent_path()));
    KTSTR_TRY(reader->Extract(i, path));
    if (progress) progress(i + 1, reader->archives().size());
  }
  // Last, since they make it a corpus.
  for (const PackedFile& file : files) {
    KTSTR_TRY(MakePrivateDirectories((directory / file.name).parent_path()));
    KTSTR_TRY(WriteTextFile(directory / file.name, file.text));
  }
  return Corpus::Open(directory);
}

}  // namespace ktstr
