#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/container.h"
#include "libcore/archive/header.h"
#include "libcore/archive/section_writer.h"
#include "libcore/base/output_file.h"

namespace ktstr::archive {
namespace {

using synthetic::TemporaryDirectory;

class BadInputTest : public testing::Test {
 protected:
  BadInputTest() { WriteSample(path_, synthetic::MakeSampleGuest()); }

  // The error of opening the file `bytes`, without the file's name.
  std::string ErrorOf(std::span<const std::byte> bytes, ErrorCode code = ErrorCode::kDamaged) {
    const auto bad = directory_ / "bad.kts";
    WriteFile(bad, bytes);
    const auto archive = ArchiveReader::Open(bad);
    if (archive) return "it opened";
    EXPECT_EQ(archive.error().code(), code);
    const std::string text = archive.error().ToString();
    EXPECT_EQ(text.find(bad.native()), 0u) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text.substr(std::min(text.size(), bad.native().size() + 1));
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
};

TEST_F(BadInputTest, WhatIsNoFileIsNamedAsWhatItIs) {
  EXPECT_EQ(ArchiveReader::Open(directory_ / "no.kts").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(OpenError(directory_ / "no.kts"), (directory_ / "no.kts").native() + ": no such file");
  EXPECT_EQ(OpenError(directory_.path()),
            directory_.path().native() + " is a directory, not a .kts archive");
  EXPECT_EQ(OpenError(path_ / "x"), (path_ / "x").native() + " cannot be opened: Not a directory");
  const auto fifo = directory_ / "fifo";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(OpenError(fifo), fifo.native() + " is not a regular file, so no .kts archive");
}

TEST_F(BadInputTest, AFileThatIsNoArchiveIsNamedAsWhatItIs) {
  EXPECT_EQ(ErrorOf({}), "is empty, not a .kts archive");
  const std::string text = "Dear diary,\n\ntoday the scheduler stalled again.\n";
  EXPECT_EQ(ErrorOf(std::as_bytes(std::span(text))),
            "is not a .kts archive (it does not begin with the header of one)");
  EXPECT_EQ(ErrorOf(Bytes(1000)),
            "is not a .kts archive (it does not begin with the header of one)");
}

TEST_F(BadInputTest, AFileOfAnotherKindIsNamedAsWhatItIs) {
  const auto error = [this](std::string_view begin) {
    std::string file(begin);
    file.resize(2000);
    return ErrorOf(std::as_bytes(std::span(file)));
  };
  using std::string_view_literals::operator""sv;
  using ::testing::HasSubstr;
  using ::testing::StartsWith;
  EXPECT_THAT(error("\x7f"
                    "ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0"sv),
              StartsWith("is a core dump (ELF)"));
  EXPECT_THAT(error("\x7f"
                    "ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\x3e\0"sv),
              HasSubstr("--vmlinux"));
  EXPECT_THAT(error("KDUMP   "), HasSubstr("kdump-compressed"));
  EXPECT_THAT(error("makedumpfile\0"sv), HasSubstr("flattened"));
  EXPECT_THAT(error("QEVM"), HasSubstr("migration stream"));
  EXPECT_THAT(error("LibvirtQemudSave"), HasSubstr("ktstr-replay import"));
  EXPECT_THAT(error("\x1f\x8b"), HasSubstr("decompress it first"));
  EXPECT_THAT(error("SQLite format 3\0"sv), HasSubstr("the archive that it belongs to"));
  std::string kernel(0x202, '\x90');
  EXPECT_THAT(error(kernel + "HdrS"), HasSubstr("--kernel"));
}

TEST_F(BadInputTest, ATruncatedArchiveIsNamedAsOne) {
  const Bytes whole = ReadFile(path_);
  EXPECT_EQ(ErrorOf(std::span(whole).first(20)),
            "is truncated: 20 bytes are not even a whole header");
  for (const size_t size : {kHeaderSize, whole.size() / 2, whole.size() - 1}) {
    EXPECT_EQ(ErrorOf(std::span(whole).first(size)),
              "is truncated, or its end is damaged: it does not end in a seek table");
  }
}

TEST_F(BadInputTest, ALaterVersionIsUnsupportedAndBothVersionsAreNamed) {
  Bytes file = ReadFile(path_);
  std::ranges::copy(EncodeHeader(kMajorVersion + 1, 7), file.begin());
  EXPECT_EQ(ErrorOf(file, ErrorCode::kUnsupported),
            "cannot be read: it has format version 3.7; this program reads 1.x to 2.x");
}

TEST_F(BadInputTest, ALaterMinorVersionIsRead) {
  Bytes file = ReadFile(path_);
  std::ranges::copy(EncodeHeader(kMajorVersion, kMinorVersion + 1), file.begin());
  EXPECT_EQ(ErrorOf(file), "it opened");
}

// What version 2 has added is all that tells it from version 1.
TEST_F(BadInputTest, EveryOlderVersionIsRead) {
  Bytes file = ReadFile(path_);
  for (const uint16_t minor : {0, 1}) {
    std::ranges::copy(EncodeHeader(1, minor), file.begin());
    EXPECT_EQ(ErrorOf(file), "it opened");
  }
}

TEST_F(BadInputTest, AFlippedByteIsReportedForThePartThatItIsIn) {
  const Bytes good = ReadFile(path_);
  const Container container = ReadContainer(InputFile::Open(path_).value()).value();
  const auto error_at = [&](uint64_t offset) {
    Bytes bad = good;
    bad.at(offset) ^= std::byte(0x10);
    return ErrorOf(bad);
  };
  EXPECT_EQ(error_at(17), "is damaged: the header does not match its checksum");
  const std::pair<SectionType, const char*> names[] = {{SectionType::kMetadata, "META"},
                                                       {SectionType::kVcpus, "VCPU"},
                                                       {SectionType::kRegions, "RGNS"},
                                                       {SectionType::kPageTable, "PAGE"},
                                                       {SectionType::kFrames, "FRMS"}};
  for (const auto& [type, name] : names) {
    const DirectoryEntry* section = container.Find(type);
    ASSERT_NE(section, nullptr) << name;
    EXPECT_EQ(error_at(section->offset + section->frame_size - 1),
              fmt::format("is damaged: section {} does not match its checksum", name));
  }
  // Not needed to open it: found by who asks for it.
  const DirectoryEntry* devices = container.Find(SectionType::kDeviceState);
  ASSERT_NE(devices, nullptr);
  EXPECT_EQ(error_at(devices->offset + devices->frame_size - 1), "it opened");
  const auto opened = ArchiveReader::Open(directory_ / "bad.kts");
  ASSERT_TRUE(opened);
  for (const Error& error :
       {(*opened)->CheckOtherSections().error(), (*opened)->ReadDeviceState().error()}) {
    EXPECT_THAT(error.ToString(),
                testing::HasSubstr("is damaged: section DEVS does not match its checksum"));
  }
  const DirectoryEntry& last = container.sections.back();
  const uint64_t directory = last.offset + last.frame_size;
  EXPECT_EQ(error_at(directory + 30), "is damaged: the directory does not match its digest");
  const uint64_t seek_table = directory + DirectorySize(container.sections.size());
  EXPECT_EQ(error_at(seek_table + 13), "is damaged: the seek table does not match its checksum");
  EXPECT_EQ(error_at(good.size() - 1),
            "is truncated, or its end is damaged: it does not end in a seek table");
}

TEST_F(BadInputTest, AFlippedByteInAMemoryFrameDamagesThatFrameOnly) {
  Bytes bad = ReadFile(path_);
  const Container container = ReadContainer(InputFile::Open(path_).value()).value();
  ASSERT_GE(container.frame_count(), 2u);
  bad.at(container.frame_offsets[1] + 20) ^= std::byte(1);
  WriteFile(path_, bad);
  const auto archive = ArchiveReader::Open(path_).value();
  EXPECT_EQ(archive->FindDamagedFrames(), std::vector<uint64_t>{1});
  Bytes pages(archive->pages_in_frame(0) * kPageSize);
  EXPECT_TRUE(archive->ReadFrame(0, pages));
  pages.resize(archive->pages_in_frame(1) * kPageSize);
  const Status status = archive->ReadFrame(1, pages);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().ToString(),
            path_.native() + " is damaged: memory frame 1: it does not match its checksum");
}

TEST_F(BadInputTest, AFileThatIsCutShortWhileItIsOpenGivesErrorsNotASignal) {
  const auto archive = ArchiveReader::Open(path_).value();
  std::filesystem::resize_file(path_, kHeaderSize + 10);
  Bytes pages(archive->pages_in_frame(0) * kPageSize);
  EXPECT_EQ(archive->ReadFrame(0, pages).error().code(), ErrorCode::kDamaged);
  EXPECT_EQ(archive->FindDamagedFrames()->size(), archive->frame_count());
  EXPECT_EQ(archive->ReadDeviceState().error().code(), ErrorCode::kDamaged);
}

TEST_F(BadInputTest, ASectionOfAnUnknownTypeIsSkipped) {
  const auto later = directory_ / "later.kts";
  OutputFile output = OutputFile::Create(later, OutputFile::Existing::kKeep).value();
  ASSERT_TRUE(output.Append(EncodeHeader(kMajorVersion, kMinorVersion + 1)));
  const InputFile input = InputFile::Open(path_).value();
  const Container container = ReadContainer(input).value();
  Bytes frames(container.frame_offsets.back() - kHeaderSize);
  ASSERT_TRUE(input.ReadAt(kHeaderSize, frames));
  ASSERT_TRUE(output.Append(frames));
  std::vector<SeekEntry> entries = {{kHeaderSize, 0}};
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    const bool last = i + 1 == container.frame_count();
    entries.push_back(
        {static_cast<uint32_t>(container.frame_offsets[i + 1] - container.frame_offsets[i]),
         static_cast<uint32_t>(last ? container.last_frame_bytes : container.frame_bytes)});
  }
  SectionWriter sections(output, entries);
  const auto add_unknown = [&sections](uint32_t type) {
    return sections.Add(static_cast<SectionType>(type), Bytes(100, std::byte('?')));
  };
  ASSERT_TRUE(add_unknown(FourCharacters("NEWS")));
  for (const DirectoryEntry& section : container.sections) {
    ASSERT_TRUE(sections.Add(section.type, ReadSection(input, section)->bytes()));
  }
  ASSERT_TRUE(add_unknown(FourCharacters("MORE")));
  ASSERT_TRUE(sections.Finish());
  ASSERT_TRUE(output.Publish());
  const auto archive = ArchiveReader::Open(later);
  ASSERT_TRUE(archive) << archive.error().ToString();
  EXPECT_EQ(WrongAnswer(**archive, synthetic::MakeSampleGuest()), "");
}

}  // namespace
}  // namespace ktstr::archive
