// Dumps of the sample guest, for the tests of this directory.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fixtures/sample/sample_guest.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/writer.h"
#include "replay/snapshot_memory.h"
#include "replay/vmcore/export.h"
#include "replay/vmcore/import.h"

namespace ktstr::vmcore {

inline std::vector<char> BytesOf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void WriteBytes(const std::filesystem::path& path, const std::vector<char>& bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class DumpTest : public testing::Test {
 protected:
  // The sample guest's archive; made again for each contents.
  std::string Archive(const ArchiveContents& contents) {
    ArchiveWriteOptions options;
    options.overwrite = true;
    const auto written = WriteArchive(Path("a.kts"), contents, options);
    EXPECT_TRUE(written) << written.error().ToString();
    return Path("a.kts");
  }

  // Exports that archive to the file `name`.
  Result<ExportSummary> Export(const std::string& name, const ExportOptions& options) {
    const auto machine = KTSTR_TRY(FrozenMachine::Open(Path("a.kts")));
    auto file = KTSTR_TRY(OutputFile::Create(Path(name), OutputFile::Existing::kReplace));
    const auto target = ToFile(std::move(file));
    return ExportMachine(*machine, *target, options);
  }

  // The same as to a pipe.
  Result<ExportSummary> ExportToStream(const std::string& name, const ExportOptions& options) {
    const auto machine = KTSTR_TRY(FrozenMachine::Open(Path("a.kts")));
    const int fd = open(Path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    Output output(fd);
    const auto target =
        options.format == ExportFormat::kKdump ? ToFlattenedStream(output) : ToStream(output);
    auto summary = ExportMachine(*machine, *target, options);
    close(fd);
    return summary;
  }

  Result<ImportSummary> Import(const std::vector<std::string>& names, const std::string& archive,
                               const OpenOptions& open = {}) {
    std::vector<std::string> paths;
    for (const std::string& name : names) paths.push_back(Path(name));
    const Vmcore dump = KTSTR_TRY(OpenVmcore(paths, open));
    ImportOptions options;
    options.overwrite = true;
    options.imported_by = "a test";
    return ImportVmcore(dump, open.cut_off, Path(archive), options);
  }

  std::unique_ptr<SnapshotMemory> Opened(const std::string& archive) const {
    auto reader = ArchiveReader::Open(Path(archive));
    if (!reader) ADD_FAILURE() << reader.error().ToString();
    return std::make_unique<SnapshotMemory>(*std::move(reader));
  }

  std::string Path(const std::string& name) const { return (directory_ / name).string(); }

  synthetic::TemporaryDirectory directory_;
};

}  // namespace ktstr::vmcore
