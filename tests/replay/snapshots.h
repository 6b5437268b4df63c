// Guests, written to an archive and opened again, for the tests of this directory.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "fixtures/sample/sample_guest.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/writer.h"

namespace ktstr {

class ArchivedGuestTest : public testing::Test {
 protected:
  // The archive of a guest with that memory and nothing else.
  std::shared_ptr<const ArchiveReader> Archive(const GuestMemory& memory) {
    const auto path = directory_ / "x.kts";
    ArchiveWriteOptions options;
    options.overwrite = true;
    const auto summary = WriteArchive(path, {memory}, options);
    if (!summary) ADD_FAILURE() << summary.error().ToString();
    return ArchiveReader::Open(path).value();
  }

  // Flips a byte of the archive that Archive() wrote.
  void Damage(uint64_t offset) {
    std::fstream file(directory_ / "x.kts", std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(static_cast<std::streamoff>(offset));
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(static_cast<std::streamoff>(offset));
    file.put(byte);
  }

  synthetic::TemporaryDirectory directory_;
};

// Every page with contents of its own.
inline synthetic::BufferMemory DistinctPages(uint64_t pages) {
  synthetic::BufferMemory memory(pages * kPageSize);
  for (uint64_t i = 0; i < pages; ++i) memory.Put<uint64_t>(Pfn(i).pa() + 8, i + 1);
  return memory;
}

}  // namespace ktstr
