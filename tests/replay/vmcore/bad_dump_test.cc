// Proves: a dump that is cut off, scratched or made to harm is an error that names it, or gives
// what it says; never a crash, and never an archive that has less than it says.
#include <elf.h>
#include <gmock/gmock.h>

#include "dumps.h"
#include "replay/snapshot_memory.h"
#include "replay/vmcore/flat_format.h"
#include "replay/vmcore/kdump_format.h"

namespace ktstr::vmcore {
namespace {

using ::testing::HasSubstr;

class BadDumpTest : public DumpTest {
 protected:
  BadDumpTest() {
    Archive(synthetic::MakeSampleGuest().contents());
    EXPECT_TRUE(Export("elf", {.format = ExportFormat::kElf}));
    EXPECT_TRUE(Export("kdump", {.format = ExportFormat::kKdump}));
    EXPECT_TRUE(ExportToStream("flat", {.format = ExportFormat::kKdump}));
  }

  // Whether it is refused, as data that is no dump is.
  testing::AssertionResult IsRefused(const std::vector<char>& bytes, const OpenOptions& open = {}) {
    WriteBytes(Path("bad"), bytes);
    std::filesystem::remove(Path("b.kts"));
    const auto imported = Import({"bad"}, "b.kts", open);
    if (imported) return testing::AssertionFailure() << "it was taken";
    if (ExitCodeFor(imported.error().code()) != ExitCode::kBadInput) {
      return testing::AssertionFailure() << imported.error().ToString();
    }
    if (imported.error().ToString().find("bad") == std::string::npos) {
      return testing::AssertionFailure()
             << "it does not name the file: " << imported.error().ToString();
    }
    if (std::filesystem::exists(Path("b.kts"))) {
      return testing::AssertionFailure() << "there is an archive";
    }
    return testing::AssertionSuccess();
  }

  // Looks at every page of it, or the first of very many.
  Status ReadAll() {
    const Vmcore dump = KTSTR_TRY(OpenVmcore({Path("bad")}, {}));
    uint64_t looked_at = 0;
    for (const MemoryRegion& region : dump.memory->regions()) {
      for (Pfn pfn = region.begin; pfn < region.end && ++looked_at < 4096; pfn = pfn + 1) {
        (void)dump.memory->View(pfn);
      }
    }
    auto failure = dump.memory->failure();
    return failure ? Status(Fail(*std::move(failure))) : Status();
  }

  template <typename T>
  static void Set(std::vector<char>& bytes, size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }
  // Makes the file's bytes with a value at an offset.
  static auto Changer(const std::string& path) {
    return [whole = BytesOf(path)](size_t offset, auto value) {
      std::vector<char> bytes = whole;
      Set(bytes, offset, value);
      return bytes;
    };
  }
};

TEST_F(BadDumpTest, CutOffAnywhere) {
  for (const char* name : {"elf", "kdump", "flat"}) {
    const std::vector<char> whole = BytesOf(Path(name));
    for (size_t i = 0; i < 60; ++i) {
      const size_t size = whole.size() * i / 60;
      EXPECT_TRUE(IsRefused({whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size)}))
          << name << " of " << size << " bytes";
    }
  }
}

TEST_F(BadDumpTest, CutOffAndAccepted) {
  std::vector<char> bytes = BytesOf(Path("elf"));
  bytes.resize(bytes.size() - 5 * kPageSize);
  WriteBytes(Path("bad"), bytes);
  const auto imported = Import({"bad"}, "b.kts", {.cut_off = CutOff::kAccept});
  ASSERT_TRUE(imported) << imported.error().ToString();
  const auto before = ArchiveReader::Open(Path("a.kts")),
             after = ArchiveReader::Open(Path("b.kts"));
  uint64_t damaged_before = 0;
  for (const PageCount& count : (*before)->CountPages()) {
    if (count.fate == PageFate::kDamaged) damaged_before += count.pages;
  }
  EXPECT_EQ(imported->archive.damaged_pages, damaged_before + 5);
}

// Whatever byte is wrong: an error, or what it says.
TEST_F(BadDumpTest, ScratchedAnywhere) {
  for (const char* name : {"elf", "kdump", "flat"}) {
    const std::vector<char> whole = BytesOf(Path(name));
    for (size_t i = 0; i < 200; ++i) {
      std::vector<char> bytes = whole;
      // Half of them where the headers are.
      const size_t at = i % 2 == 0 ? i * 16 : whole.size() * i / 200;
      bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ (1 << (i % 8)));
      WriteBytes(Path("bad"), bytes);
      const auto read = ReadAll();
      if (!read) {
        EXPECT_EQ(ExitCodeFor(read.error().code()), ExitCode::kBadInput) << read.error().ToString();
      }
    }
  }
}

TEST_F(BadDumpTest, ElfHeadersThatLie) {
  const auto with = Changer(Path("elf"));
  constexpr size_t kFirst = sizeof(Elf64_Ehdr), kSecond = kFirst + sizeof(Elf64_Phdr);
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_phnum), uint16_t{0xfffe})));
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_phnum), uint16_t{PN_XNUM})));
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_phoff), ~uint64_t{7})));
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_phentsize), uint16_t{1})));
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_machine), uint16_t{EM_AARCH64})));
  EXPECT_TRUE(IsRefused(with(offsetof(Elf64_Ehdr, e_type), uint16_t{ET_EXEC})));
  EXPECT_TRUE(IsRefused(with(kFirst + offsetof(Elf64_Phdr, p_filesz), ~uint64_t{0})));
  EXPECT_TRUE(IsRefused(with(kFirst + offsetof(Elf64_Phdr, p_offset), uint64_t{1} << 63)));
  EXPECT_TRUE(IsRefused(with(kSecond + offsetof(Elf64_Phdr, p_filesz), ~uint64_t{0})));
  EXPECT_TRUE(IsRefused(with(kSecond + offsetof(Elf64_Phdr, p_offset), ~uint64_t{0} - 4095)));
  EXPECT_TRUE(IsRefused(with(kSecond + offsetof(Elf64_Phdr, p_paddr), ~uint64_t{0} - 4095)));
}

TEST_F(BadDumpTest, KdumpHeadersThatLie) {
  const auto with = Changer(Path("kdump"));
  constexpr size_t kSub = kPageSize;
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, block_size), int32_t{65536})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, block_size), int32_t{0})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, sub_header_blocks), int32_t{-1})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, sub_header_blocks), int32_t{1 << 30})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, bitmap_blocks), ~uint32_t{0})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, bitmap_blocks), uint32_t{0})));
  EXPECT_TRUE(IsRefused(with(offsetof(KdumpHeader, status), kKdumpZstd | kKdumpIncomplete)));
  EXPECT_TRUE(IsRefused(with(kSub + offsetof(KdumpSubHeader, max_mapnr_64), ~uint64_t{0})));
  EXPECT_TRUE(IsRefused(with(kSub + offsetof(KdumpSubHeader, max_mapnr_64), uint64_t{0})));
  EXPECT_TRUE(IsRefused(with(kSub + offsetof(KdumpSubHeader, size_note), ~uint64_t{0})));
  EXPECT_TRUE(IsRefused(with(kSub + offsetof(KdumpSubHeader, offset_note), ~uint64_t{0})));
  // One of several files alone.
  std::vector<char> part = with(kSub + offsetof(KdumpSubHeader, split), int32_t{1});
  Set(part, kSub + offsetof(KdumpSubHeader, end_pfn_64), uint64_t{5});
  EXPECT_TRUE(IsRefused(part));
  WriteBytes(Path("bad"), part);
  EXPECT_THAT(Import({"bad"}, "b.kts").error().ToString(), HasSubstr("another part"));
}

TEST_F(BadDumpTest, OtherFilesAreCalledWhatTheyAre) {
  EXPECT_TRUE(IsRefused(BytesOf(Path("a.kts"))));
  EXPECT_TRUE(IsRefused(std::vector<char>(8192)));
  EXPECT_TRUE(IsRefused({}));
  EXPECT_TRUE(IsRefused(std::vector<char>(4097), {.raw = true}));
  EXPECT_TRUE(IsRefused({}, {.raw = true}));
  WriteBytes(Path("bad"), {'Q', 'F', 'I', '\xfb', 0, 0, 0, 3});
  EXPECT_THAT(Import({"bad"}, "b.kts").error().ToString(), HasSubstr("qcow2"));
  std::filesystem::create_directory(Path("directory"));
  EXPECT_THAT(Import({"directory"}, "b.kts").error().ToString(),
              HasSubstr("is a directory, not a dump"));
  const auto device = OpenVmcore({"/dev/null"}, {});
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().ToString(), HasSubstr("is not a regular file, so no dump"));
}

// Later pieces count, as when makedumpfile writes its header again at the end.
TEST_F(BadDumpTest, PiecesOfAFlattenedDumpMayOverlap) {
  std::vector<char> flat(kFlatHeaderSize);
  std::ranges::copy(kFlatSignature, flat.begin());
  Set(flat, 16, ToBigEndian(1));
  Set(flat, 24, ToBigEndian(1));
  const auto piece = [&flat](uint64_t offset, const std::string& text) {
    for (const uint64_t number : {ToBigEndian(offset), ToBigEndian(text.size())}) {
      flat.resize(flat.size() + 8);
      Set(flat, flat.size() - 8, number);
    }
    flat.insert(flat.end(), text.begin(), text.end());
  };
  piece(10, "0123456789");
  piece(20, "abc");
  piece(12, "XY");
  piece(8, "..!");
  piece(18, "##########");
  piece(30, "z");
  for (int i = 0; i < 2; ++i) {
    flat.resize(flat.size() + 8);
    Set(flat, flat.size() - 8, kFlatEnd);
  }
  WriteBytes(Path("pieces"), flat);
  const auto dump = DumpFile::Open(Path("pieces"));
  ASSERT_TRUE(dump) << dump.error().ToString();
  std::string text(dump->size() - 8, '?');
  ASSERT_TRUE(dump->ReadAt(8, std::as_writable_bytes(std::span(text))));
  EXPECT_EQ(text, std::string("..!1XY4567##########\0\0z", 23));
  EXPECT_FALSE(dump->ReadAt(dump->size(), std::as_writable_bytes(std::span(text))));
}

}  // namespace
}  // namespace ktstr::vmcore
