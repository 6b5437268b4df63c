#include "libcore/archive/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <set>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;
using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;

// Calls back before each page that is looked at.
class WatchedMemory : public GuestMemory {
 public:
  WatchedMemory(const BufferMemory& memory, std::function<void(Pfn)> watch)
      : memory_(memory), watch_(std::move(watch)) {}
  std::span<const MemoryRegion> regions() const override { return memory_.regions(); }
  PageView View(Pfn pfn) const override {
    watch_(pfn);
    return memory_.View(pfn);
  }
  Result<std::byte*> Writable(Pfn pfn) override {
    return Fail(ErrorCode::kReadOnly, std::to_string(pfn.value()));
  }
  Pfn NextTouched(Pfn from) const override { return memory_.NextTouched(from); }

 private:
  const BufferMemory& memory_;
  std::function<void(Pfn)> watch_;
};

class WriterTest : public testing::Test {
 protected:
  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
};

TEST_F(WriterTest, TheSameGuestGivesTheSameFileWithAnyNumberOfThreads) {
  const SampleGuest guest{synthetic::MakeRandomMemory(5000, 5), {}, {}, {}};
  std::vector<std::string> digests;
  std::vector<Bytes> files;
  for (const int threads : {1, 2, 3, 8}) {
    ArchiveWriteOptions options;
    options.threads = threads;
    options.overwrite = true;
    digests.push_back(WriteSample(path_, guest, options));
    files.push_back(ReadFile(path_));
    EXPECT_EQ(digests.back(), digests.front());
    EXPECT_EQ(files.back(), files.front());
  }
}

// However much of the memory is copied before it is compressed, and whatever becomes of it then.
TEST_F(WriterTest, MemoryIsNotLookedAtAnyMoreOnceItIsSaidToBeDone) {
  constexpr uint64_t kBatch = 128 * kPageSize;
  const SampleGuest guest{synthetic::MakeRandomMemory(5000, 5), {}, {}, {}};
  const std::string digest = WriteSample(path_, guest, {});
  const Bytes file = ReadFile(path_);
  for (const uint64_t copy_bytes : {uint64_t{0}, kBatch, 5 * kBatch, uint64_t{1} << 30}) {
    for (const int threads : {1, 3}) {
      std::atomic<bool> done = false, looked_at_later = false;
      const WatchedMemory memory(guest.memory, [&](Pfn) {
        if (done) looked_at_later = true;
      });
      ArchiveWriteOptions options;
      options.overwrite = true;
      options.threads = threads;
      options.copy_bytes = copy_bytes;
      if (threads > 1) {
        // Buffers that were made ready, of the right size and of another.
        const uint64_t size = copy_bytes > kBatch ? kCopyBufferBytes : kCopyBufferBytes / 2;
        options.copies = std::make_shared<BufferPool>(size, BufferPool::PageSize::kSmall);
        options.copies->Reserve(3 * size, 2);
      }
      options.memory_done = [&]() -> Status {
        done = true;
        return {};
      };
      ASSERT_TRUE(WriteArchive(
          path_, {.memory = memory, .vcpus = {}, .device_state = {}, .metadata = {}}, options));
      EXPECT_TRUE(done);
      EXPECT_FALSE(looked_at_later) << copy_bytes;
      EXPECT_EQ(ReadFile(path_), file) << copy_bytes;
    }
  }
}

TEST_F(WriterTest, OneByteOfDifferenceAnywhereGivesAnotherDigest) {
  std::set<std::string> digests;
  ArchiveWriteOptions options;
  options.overwrite = true;
  const auto add = [&](auto&& change) {
    SampleGuest guest = synthetic::MakeSampleGuest();
    change(guest);
    digests.insert(WriteSample(path_, guest, options));
  };
  add([](SampleGuest&) {});
  add([](SampleGuest& guest) { guest.memory.Put<uint8_t>(Pfn(3).pa() + 77, 1); });
  add([](SampleGuest& guest) { guest.memory.LeaveOut(Pfn(3), LeftOutReason::kFree); });
  add([](SampleGuest& guest) { guest.vcpus[1].rip ^= 1; });
  add([](SampleGuest& guest) { guest.device_state[9] ^= std::byte(1); });
  add([](SampleGuest& guest) { guest.metadata.captured_at_ns += 1; });
  EXPECT_EQ(digests.size(), 6u);
}

TEST_F(WriterTest, TheSummarySaysWhatWasWritten) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  const auto summary = WriteArchive(path_, guest.contents(), {});
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->digest.size(), 32u);
  EXPECT_EQ(summary->file_size, std::filesystem::file_size(path_));
  EXPECT_EQ(summary->present_pages, 16u);
  EXPECT_EQ(summary->duplicate_pages, 12u);
  EXPECT_EQ(summary->zero_pages, 62u);
  EXPECT_EQ(summary->damaged_pages, 1u);
  EXPECT_EQ(summary->left_out_pages,
            (std::map<LeftOutReason, uint64_t>{{LeftOutReason::kFree, 1},
                                               {LeftOutReason::kPageCache, 2},
                                               {LeftOutReason::kUserData, 1},
                                               {LeftOutReason::kDevice, 1}}));
}

TEST_F(WriterTest, AWholeArchiveCanBeReadBeforeItIsAccepted) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  for (const bool wanted : {false, true}) {
    std::string digest_seen;
    ArchiveWriteOptions options;
    options.accept = [&](const std::filesystem::path& readable) -> Result<bool> {
      EXPECT_FALSE(std::filesystem::exists(path_));
      digest_seen = ArchiveReader::Open(readable).value()->digest();
      return wanted;
    };
    const auto summary = WriteArchive(path_, guest.contents(), options);
    ASSERT_TRUE(summary);
    EXPECT_EQ(summary->digest, digest_seen);
    EXPECT_EQ(summary->accepted, wanted);
    EXPECT_EQ(std::filesystem::exists(path_), wanted);
  }
}

TEST_F(WriterTest, TheFilterIsAskedAboutEveryPageOnceInOrder) {
  BufferMemory memory({{Pfn(0), Pfn(0x700)}, {Pfn(0x100000), Pfn(0x100010)}});
  memory.Put<uint8_t>(Pfn(0x500).pa(), 1);
  memory.Put<uint8_t>(Pfn(0x501).pa(), 1);
  std::vector<Pfn> asked;
  ArchiveContents contents{memory};
  contents.filter = FilterByPage([&asked](Pfn pfn) {
    asked.push_back(pfn);
    return pfn.value() % 2 == 1 ? LeftOutReason::kUserData : LeftOutReason::kNone;
  });
  ASSERT_TRUE(WriteArchive(path_, contents, {}));
  ASSERT_EQ(asked.size(), memory.page_count());
  EXPECT_TRUE(std::ranges::is_sorted(asked));
  const auto archive = ArchiveReader::Open(path_).value();
  for (const Pfn pfn : asked) {
    const PageFate kept = pfn == Pfn(0x500) ? PageFate::kPresent : PageFate::kZero;
    const PageFate fate = pfn.value() % 2 == 1 ? PageFate::kNotCaptured : kept;
    ASSERT_EQ(archive->Lookup(pfn).fate, fate) << pfn.value();
  }
}

TEST_F(WriterTest, AFilterMayTellOfManyPagesAtOnce) {
  // Runs that end within a block, at its end and beyond, touched and not, told of as far as asked
  // or less far.
  constexpr uint64_t kPages = 20'000;
  const auto reason_of = [](Pfn pfn) {
    static constexpr uint64_t kEnds[] = {1, 5, 512, 700, 3000, 3001, 4096, 9000, 9512, 15'000};
    const auto run = std::ranges::upper_bound(kEnds, pfn.value()) - std::begin(kEnds);
    return run % 3 == 0   ? LeftOutReason::kNone
           : run % 3 == 1 ? LeftOutReason::kFree
                          : LeftOutReason::kPageCache;
  };
  BufferMemory memory(kPages * kPageSize);
  for (uint64_t pfn = 0; pfn < kPages; pfn += 3) memory.Put<uint64_t>(Pfn(pfn).pa(), pfn + 1);
  for (uint64_t pfn = 6000; pfn < 12'000; ++pfn) memory.Put<uint64_t>(Pfn(pfn).pa(), 0);
  for (const uint64_t told_at_most : {1u, 7u, 512u, 100'000u}) {
    ArchiveContents contents{memory};
    contents.filter = [&](Pfn pfn, uint64_t most) {
      EXPECT_LE(pfn.value() + most, kPages);
      AlikePages alike = {reason_of(pfn), 1};
      while (alike.pages < std::min(most, told_at_most) &&
             reason_of(pfn + alike.pages) == alike.reason) {
        ++alike.pages;
      }
      return alike;
    };
    const std::string path = directory_ / fmt::format("{}.kts", told_at_most);
    ASSERT_TRUE(WriteArchive(path, contents, {}));
    const auto archive = ArchiveReader::Open(path).value();
    for (uint64_t pfn = 0; pfn < kPages; ++pfn) {
      const auto found = archive->Lookup(Pfn(pfn));
      const bool touched = pfn % 3 == 0 && (pfn < 6000 || pfn >= 12'000);
      const LeftOutReason reason = reason_of(Pfn(pfn));
      ASSERT_EQ(found.reason, reason) << pfn;
      const PageFate kept = touched ? PageFate::kPresent : PageFate::kZero;
      ASSERT_EQ(found.fate, reason == LeftOutReason::kNone ? kept : PageFate::kNotCaptured) << pfn;
    }
  }
}

// To find out how far it holds can take as long as it is.
TEST_F(WriterTest, WhatAFilterToldOfManyPagesIsNotAskedAgain) {
  BufferMemory memory({{Pfn(0), Pfn(10'000)}, {Pfn(0x100000), Pfn(0x100000 + 7000)}});
  for (uint64_t pfn = 0; pfn < 10'000; pfn += 2) memory.Put<uint64_t>(Pfn(pfn).pa(), pfn + 1);
  uint64_t told = 0;
  ArchiveContents contents{memory};
  contents.filter = [&](Pfn, uint64_t most) {
    told += most;
    return AlikePages{LeftOutReason::kNone, most};
  };
  ASSERT_TRUE(WriteArchive(path_, contents, {}));
  EXPECT_EQ(told, memory.page_count());
}

TEST_F(WriterTest, NothingThatIsUntouchedOrLeftOutIsLookedAt) {
  BufferMemory memory(10'000 * kPageSize);
  for (const uint64_t pfn : {700, 703, 5000, 9998}) memory.Put<uint8_t>(Pfn(pfn).pa(), 1);
  std::mutex mutex;
  std::set<Pfn> seen;
  const WatchedMemory watched(memory, [&](Pfn pfn) {
    const std::lock_guard lock(mutex);
    seen.insert(pfn);
  });
  ArchiveContents contents{watched};
  ASSERT_TRUE(WriteArchive(path_, contents, {}));
  // A block goes on behind the first page that was touched; the first zero page ends that.
  EXPECT_EQ(seen, (std::set{Pfn(700), Pfn(701), Pfn(703), Pfn(704), Pfn(5000), Pfn(5001), Pfn(9998),
                            Pfn(9999)}));
  seen.clear();
  contents.filter = FilterByPage(
      [](Pfn pfn) { return pfn == Pfn(5000) ? LeftOutReason::kFree : LeftOutReason::kNone; });
  ASSERT_TRUE(WriteArchive(directory_ / "y.kts", contents, {}));
  EXPECT_FALSE(seen.contains(Pfn(5000)));
}

TEST_F(WriterTest, ProgressRisesToTheNumberOfAllPages) {
  const SampleGuest guest{synthetic::MakeRandomMemory(3000, 2), {}, {}, {}};
  std::vector<uint64_t> done;
  ArchiveWriteOptions options;
  options.progress = [&done](uint64_t pages, uint64_t all) {
    EXPECT_EQ(all, 3000u);
    done.push_back(pages);
  };
  WriteSample(path_, guest, options);
  ASSERT_FALSE(done.empty());
  EXPECT_TRUE(std::ranges::is_sorted(done));
  EXPECT_EQ(done.back(), 3000u);
}

TEST_F(WriterTest, CancellingIsAnErrorAndLeavesNothing) {
  const SampleGuest guest{synthetic::MakeRandomMemory(3000, 2), {}, {}, {}};
  std::atomic<bool> cancel = false;
  ArchiveWriteOptions options;
  options.cancel = &cancel;
  options.progress = [&cancel](uint64_t, uint64_t) { cancel = true; };
  const auto summary = WriteArchive(path_, guest.contents(), options);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(summary.error().message(), "writing the archive was cancelled");
  EXPECT_TRUE(directory_.empty());
}

TEST_F(WriterTest, AnExistingArchiveIsReplacedOnlyWhenAskedTo) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  WriteFile(path_, Bytes(10));
  EXPECT_EQ(WriteArchive(path_, guest.contents(), {}).error().code(), ErrorCode::kExists);
  EXPECT_EQ(ReadFile(path_), Bytes(10));
  ArchiveWriteOptions options;
  options.overwrite = true;
  WriteSample(path_, guest, options);
  EXPECT_EQ(OpenError(path_), "");
}

TEST_F(WriterTest, AFullDiskIsAnErrorAndLeavesNothing) {
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small = {1'500'000, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const SampleGuest guest{synthetic::MakeRandomMemory(8000, 2), {}, {}, {}};
  const auto summary = WriteArchive(path_, guest.contents(), {});
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), ErrorCode::kIo);
  EXPECT_EQ(summary.error().message(), path_.native() + " cannot be written: File too large");
  EXPECT_TRUE(directory_.empty());
}

TEST_F(WriterTest, APageThatVanishesWhileItIsWrittenIsAnErrorAndLeavesNothing) {
  BufferMemory memory(100 * kPageSize);
  for (uint64_t i = 0; i < 100; ++i) memory.Put<uint64_t>(Pfn(i).pa(), i + 1);
  int looks = 0;
  const WatchedMemory watched(memory, [&](Pfn pfn) {
    if (pfn == Pfn(50) && ++looks == 2) memory.Damage(pfn);
  });
  const auto summary = WriteArchive(path_, {watched}, {});
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().code(), ErrorCode::kUnreadable);
  EXPECT_TRUE(directory_.empty());
}

TEST_F(WriterTest, ImpossibleFrameSizesAreRefused) {
  const SampleGuest guest = synthetic::MakeSampleGuest();
  for (const uint32_t pages : {0u, 3u, 2048u}) {
    ArchiveWriteOptions options;
    options.pages_per_frame = pages;
    EXPECT_EQ(WriteArchive(path_, guest.contents(), options).error().code(),
              ErrorCode::kInvalidArgument);
  }
  EXPECT_TRUE(directory_.empty());
}

bool MakesFilesWithoutNames(const std::filesystem::path& directory) {
  const int fd = open(directory.c_str(), O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

TEST_F(WriterTest, AWriterThatIsKilledLeavesNothing) {
  const BufferMemory memory = synthetic::MakeRandomMemory(8000, 2);
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const WatchedMemory watched(memory, [&](Pfn pfn) {
      if (pfn != Pfn(7800)) return;
      if (write(ready[1], "x", 1) == 1) pause();
    });
    (void)WriteArchive(path_, {watched}, {});
    _exit(0);
  }
  close(ready[1]);
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  close(ready[0]);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(directory_.empty(), MakesFilesWithoutNames(directory_.path()));
}

}  // namespace
}  // namespace ktstr::archive
