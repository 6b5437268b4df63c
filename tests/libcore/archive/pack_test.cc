// Packs: every archive comes back bit for bit, a shared page stands once, and damage is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include <filesystem>
#include <random>
#include <thread>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/container.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/pack/pack_reader.h"
#include "libcore/archive/pack/recipe.h"
#include "libcore/archive/section_writer.h"
#include "libcore/archive/sections.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;
using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;
using testing::HasSubstr;

constexpr uint64_t kPages = 2000;

// A page that compresses, differently at different levels, and depends only on `seed`.
void FillWords(BufferMemory& memory, Pfn pfn, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < kPageSize) {
    text += "scheduler stall runnable cpu idle dispatch queue vtime "[random() % 50];
    if (random() % 4 == 0) text += "the task waits";
  }
  text.resize(kPageSize);
  memory.PutBytes(pfn.pa(), std::as_bytes(std::span(text)));
}

// The same archive as another compressor would write it: the same pages, other bytes.
void WriteWithOtherCompressor(const std::filesystem::path& from, const std::filesystem::path& to) {
  const InputFile input = InputFile::Open(from).value();
  const Container container = ReadContainer(input).value();
  OutputFile output = OutputFile::Create(to, OutputFile::Existing::kReplace).value();
  const Bytes all = ReadFile(from);
  const auto& offsets = container.frame_offsets;
  ASSERT_TRUE(output.Append(std::span(all).first(offsets.front())));
  std::vector<SeekEntry> entries = {{kHeaderSize, 0}};
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_hashLog, 6);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_minMatch, 7);
  std::vector<uint64_t> checksums;
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    const bool last = i + 1 == container.frame_count();
    Bytes pages(last ? container.last_frame_bytes : container.frame_bytes);
    ASSERT_TRUE(
        DecompressFrame(std::span(all).subspan(offsets[i], offsets[i + 1] - offsets[i]), pages));
    Bytes compressed(ZSTD_compressBound(pages.size()));
    compressed.resize(ZSTD_compress2(context.get(), compressed.data(), compressed.size(),
                                     pages.data(), pages.size()));
    entries.push_back({uint32_t(compressed.size()), uint32_t(pages.size())});
    checksums.push_back(Checksum(compressed));
    ASSERT_TRUE(output.Append(compressed));
  }
  SectionWriter sections(output, std::move(entries));
  for (const DirectoryEntry& section : container.sections) {
    const SectionPayload old = ReadSection(input, section).value();
    Bytes payload(old.bytes().begin(), old.bytes().end());
    if (section.type == SectionType::kFrames) {
      FrameInfo info = DecodeFrameInfo(payload, container).value();
      info.checksums = checksums;
      payload = EncodeFrameInfo(info);
    }
    ASSERT_TRUE(sections.Add(section.type, payload));
  }
  ASSERT_TRUE(sections.Finish());
  ASSERT_TRUE(output.Publish());
}

class PackTest : public testing::Test {
 protected:
  // A guest of random pages: those from `own_begin` to `own_end` are of its own, the others are the
  // same in all guests.
  std::filesystem::path Write(const std::string& name, uint64_t own_begin, uint64_t own_end,
                              int level = 1) {
    SampleGuest guest{BufferMemory({{Pfn(0), Pfn(kPages)}}), {}, {}, {}};
    for (uint64_t i = 0; i < kPages; ++i) {
      const bool own = i >= own_begin && i < own_end;
      const uint64_t seed = own ? i + 1'000'000 * (count_ + 1) : i;
      if (words_) {
        FillWords(guest.memory, Pfn(i), seed);
      } else {
        synthetic::FillRandom(guest.memory, Pfn(i), seed);
      }
    }
    ++count_;
    guest.vcpus.resize(1);
    guest.metadata.trigger = name;
    const std::filesystem::path path = directory_ / (name + ".kts");
    WriteSample(path, guest, {.compression_level = level});
    archives_.push_back({name, path});
    return path;
  }

  PackSummary Pack() {
    const auto summary = WritePack(pack_, archives_, {{"a/b.toml", "x = 1\n"}, {"empty", ""}});
    EXPECT_TRUE(summary) << summary.error().ToString();
    return summary.value_or(PackSummary());
  }

  // Every archive of the pack is what was packed.
  void ExpectAllBack() {
    const auto reader = PackReader::Open(pack_);
    ASSERT_TRUE(reader) << reader.error().ToString();
    ASSERT_EQ((*reader)->archives().size(), archives_.size());
    for (size_t i = 0; i < archives_.size(); ++i) {
      EXPECT_EQ((*reader)->archives()[i].name, archives_[i].name);
      EXPECT_EQ((*reader)->archives()[i].file_size, std::filesystem::file_size(archives_[i].path));
      const auto out = directory_ / (archives_[i].name + ".again");
      const auto extracted = (*reader)->Extract(i, out);
      ASSERT_TRUE(extracted) << extracted.error().ToString();
      EXPECT_TRUE(ReadFile(out) == ReadFile(archives_[i].path)) << archives_[i].name;
    }
  }

  TemporaryDirectory directory_;
  std::filesystem::path pack_ = directory_ / "x.ktspack";
  std::vector<PackedArchive> archives_;
  uint64_t count_ = 0;
  bool words_ = false;
};

TEST_F(PackTest, GivesBackEveryArchiveAndStoresSharedPagesOnce) {
  // Pages of its own in the middle shift nothing; frames around them are partly shared.
  Write("one", 100, 203);
  Write("two", 150, 311);
  Write("three", 0, kPages);  // shares nothing
  const PackSummary summary = Pack();
  ExpectAllBack();
  EXPECT_EQ(summary.not_rebuilt, 0u);
  EXPECT_EQ(summary.pages, 3 * kPages);
  EXPECT_EQ(summary.shared_pages, 2 * (kPages - 211));
  // Random pages do not compress: the pages of one guest are saved, but for its own and what stands
  // in frames with them.
  EXPECT_LT(summary.pack_bytes, summary.archive_bytes - (kPages - 300) * kPageSize);
  EXPECT_EQ(summary.pack_bytes, std::filesystem::file_size(pack_));
}

TEST_F(PackTest, SeveralAreTakenOutAtTheSameTime) {
  // Both want the same blocks of pages at once.
  Write("one", 100, 203);
  Write("two", 150, 311);
  Pack();
  const auto reader = PackReader::Open(pack_).value();
  std::vector<Status> extracted(2);
  {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < 2; ++i) {
      threads.emplace_back([&, i] {
        extracted[i] = reader->Extract(i, directory_ / (archives_[i].name + ".again"), 2);
      });
    }
  }
  for (size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(extracted[i]) << extracted[i].error().ToString();
    EXPECT_TRUE(ReadFile(directory_ / (archives_[i].name + ".again")) ==
                ReadFile(archives_[i].path));
  }
}

TEST_F(PackTest, FindsTheLevelOfEachArchive) {
  words_ = true;
  Write("kernel", 0, 10, 0);
  Write("fast", 0, 10, 1);
  Write("fastest", 0, 10, -5);
  Write("small", 0, 10, 19);
  Write("default", 0, 10, 3);
  EXPECT_EQ(Pack().not_rebuilt, 0u);
  ExpectAllBack();
}

TEST_F(PackTest, KeepsFilesOfOtherKinds) {
  Write("one", 0, 10);
  Pack();
  const auto files = (*PackReader::Open(pack_))->ReadFiles();
  ASSERT_TRUE(files);
  ASSERT_EQ(files->size(), 2u);
  EXPECT_EQ((*files)[0].name, "a/b.toml");
  EXPECT_EQ((*files)[0].text, "x = 1\n");
  EXPECT_EQ((*files)[1].text, "");
}

TEST_F(PackTest, KeepsAnArchiveAsItIsThatCannotBeMadeAgain) {
  words_ = true;
  Write("ours", 0, 10);
  archives_.push_back({"theirs", directory_ / "theirs.kts"});
  WriteWithOtherCompressor(archives_[0].path, archives_[1].path);
  ASSERT_TRUE(ArchiveReader::Open(archives_[1].path));
  ASSERT_FALSE(ReadFile(archives_[0].path) == ReadFile(archives_[1].path));
  const PackSummary summary = Pack();
  EXPECT_EQ(summary.not_rebuilt, 1u);
  EXPECT_EQ(summary.shared_pages, 0u);
  ExpectAllBack();
}

TEST_F(PackTest, AnEmptyGuestAndNoArchiveAtAllArePacked) {
  SampleGuest guest{BufferMemory({{Pfn(0), Pfn(8)}}), {}, {}, {}};
  WriteSample(directory_ / "zero.kts", guest);
  archives_.push_back({"zero", directory_ / "zero.kts"});
  EXPECT_EQ(Pack().pages, 0u);
  ExpectAllBack();
  archives_.clear();
  pack_ = directory_ / "none.ktspack";
  Pack();
  ExpectAllBack();
}

TEST_F(PackTest, NothingIsOverwrittenAndNothingIsLeftBehind) {
  Write("one", 0, 10);
  Pack();
  EXPECT_EQ(WritePack(pack_, archives_, {}).error().code(), ErrorCode::kExists);
  const auto reader = PackReader::Open(pack_);
  EXPECT_EQ((*reader)->Extract(0, archives_[0].path).error().code(), ErrorCode::kExists);
  archives_.push_back({"gone", directory_ / "gone.kts"});
  EXPECT_EQ(WritePack(directory_ / "y.ktspack", archives_, {}).error().code(),
            ErrorCode::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(directory_ / "y.ktspack"));
}

TEST_F(PackTest, ACollectionMayBeLargerThanTheNumberOfFilesThatMayBeOpen) {
  for (int i = 0; i < 30; ++i) Write("many" + std::to_string(i), 0, 10);
  struct rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = dup(STDERR_FILENO);
  ASSERT_GE(next, 0);
  close(next);
  const struct rlimit few = {rlim_t(next) + 10, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  Pack();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  ExpectAllBack();
}

TEST_F(PackTest, AnArchiveThatBecomesAnotherOneMeanwhileIsNotPacked) {
  Write("one", 0, 10);
  Write("two", 0, 20);
  const auto replace = [this](size_t done, size_t) {
    if (done == 1)
      std::filesystem::copy_file(archives_[1].path, archives_[0].path,
                                 std::filesystem::copy_options::overwrite_existing);
  };
  const auto packed = WritePack(pack_, archives_, {}, {.progress = replace});
  ASSERT_FALSE(packed);
  EXPECT_EQ(packed.error().code(), ErrorCode::kIo);
  EXPECT_NE(packed.error().ToString().find("one.kts"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(pack_));
}

TEST_F(PackTest, DamageIsToldAndNeverGivesAnotherArchive) {
  Write("one", 100, 140);
  Write("two", 120, 160);
  Pack();
  const Bytes good = ReadFile(pack_);
  const Bytes truth = ReadFile(archives_[1].path);
  std::mt19937_64 random(1);
  for (int i = 0; i < 60; ++i) {
    Bytes bad = good;
    const size_t at = i == 0 ? bad.size() - 1 : random() % bad.size();
    bad[at] ^= std::byte(1 << (random() % 8));
    if (i % 5 == 4) bad.resize(at);
    WriteFile(pack_, bad);
    const auto out = directory_ / "again.kts";
    std::filesystem::remove(out);
    const auto reader = PackReader::Open(pack_);
    if (!reader) continue;
    const auto extracted = (*reader)->Extract(1, out);
    if (extracted) {
      EXPECT_TRUE(ReadFile(out) == truth) << "byte " << at;
    } else {
      EXPECT_EQ(extracted.error().code(), ErrorCode::kDamaged) << extracted.error().ToString();
      EXPECT_FALSE(std::filesystem::exists(out));
    }
  }
}

TEST_F(PackTest, AFileThatIsNoPackIsRefused) {
  EXPECT_EQ(PackReader::Open(directory_ / "none").error().code(), ErrorCode::kNotFound);
  const auto path = Write("one", 0, 1);
  EXPECT_THAT(PackReader::Open(path).error().ToString(), HasSubstr("it is no pack"));
  WriteFile(pack_, Bytes(3));
  EXPECT_THAT(PackReader::Open(pack_).error().ToString(), HasSubstr("too short"));
}

// A pack of one archive that is made so.
std::string ErrorOfRecipe(const std::filesystem::path& pack, const Recipe& recipe) {
  OutputFile file = OutputFile::Create(pack, OutputFile::Existing::kReplace).value();
  EXPECT_TRUE(AppendPackHeader(file));
  const Bytes payload = EncodeRecipe(recipe).value();
  const BlockPlace place = AppendBlock(file, BlockType::kArchive, payload).value();
  EXPECT_TRUE(AppendEnd(file, std::span(&place, 1)));
  EXPECT_TRUE(file.Publish());
  const auto reader = PackReader::Open(pack).value();
  const auto out = pack.parent_path() / "out.kts";
  const Status extracted = reader->Extract(0, out);
  EXPECT_FALSE(std::filesystem::exists(out));
  return extracted ? "" : extracted.error().ToString();
}

TEST_F(PackTest, AnArchiveThatIsLargerThanThePackSaysIsNotWritten) {
  Recipe recipe{.name = "x", .file_size = 99, .zstd_version = ZSTD_versionString()};
  recipe.verbatim.resize(100);
  recipe.steps = {{.copy = 60, .pages = {}}, {.copy = 40, .pages = {}}};
  EXPECT_THAT(ErrorOfRecipe(pack_, recipe),
              HasSubstr("'x' is larger than the 99 bytes that the pack says"));
}

TEST_F(PackTest, StepsThatDoNothingOrAreTooManyAreRefused) {
  Recipe recipe{.name = "x", .file_size = 0, .zstd_version = ZSTD_versionString()};
  recipe.steps = {{.copy = 0, .pages = {}}};
  EXPECT_THAT(ErrorOfRecipe(pack_, recipe), HasSubstr("a step of an archive does nothing"));
  // Far from each other: ten bytes for each page.
  std::vector<uint64_t> pages(1024);
  for (size_t i = 0; i < pages.size(); ++i) pages[i] = i % 2 << 62;
  recipe.steps.assign(7'500, {.copy = 0, .pages = pages});
  EXPECT_EQ(EncodeRecipe(recipe).error().code(), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace ktstr::archive
