// No damage may ever give a wrong answer: each archive here is broken in one way, and everything
// that it still says must be right.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <random>

#include "archive_files.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/verify.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;
using synthetic::SampleGuest;
using synthetic::TemporaryDirectory;

// A guest whose archive is small, so that all of it can be tried.
SampleGuest MakeTinyGuest() {
  SampleGuest guest{BufferMemory({{Pfn(0), Pfn(8)}, {Pfn(0x100000), Pfn(0x100008)}}), {}, {}, {}};
  for (uint64_t i = 1; i < 6; ++i) guest.memory.Put<uint64_t>(Pfn(i).pa() + i, i);
  guest.memory.Put<uint64_t>(Pfn(0x100000).pa() + 2, 2);
  guest.memory.PutBytes(Pfn(0x100001).pa(), guest.memory.View(Pfn(3)).bytes());
  guest.memory.LeaveOut(Pfn(6), LeftOutReason::kFree);
  guest.memory.Damage(Pfn(7));
  guest.vcpus.resize(1);
  guest.vcpus[0].rip = 0xffffffff81000000;
  guest.device_state.assign(100, std::byte(5));
  guest.metadata.trigger = "test";
  return guest;
}

class CorruptionTest : public testing::Test {
 protected:
  CorruptionTest() {
    ArchiveWriteOptions options;
    options.pages_per_frame = 2;
    WriteSample(path_, guest_, options);
    good_ = ReadFile(path_);
  }

  // Whether the file at `path_` is seen to be damaged; what it says in spite of it is right.
  bool IsFoundDamaged() {
    const auto archive = ArchiveReader::Open(path_);
    if (!archive) return true;
    EXPECT_EQ(WrongAnswer(**archive, guest_), "");
    const auto verified = VerifyArchive(path_);
    return !verified || !verified->is_whole();
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "x.kts";
  SampleGuest guest_ = MakeTinyGuest();
  Bytes good_;
};

TEST_F(CorruptionTest, EveryByteIsCoveredByAChecksum) {
  const int fd = open(path_.c_str(), O_WRONLY);
  ASSERT_GE(fd, 0);
  for (size_t offset = 0; offset < good_.size(); ++offset) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      const std::byte bad = good_[offset] ^ static_cast<std::byte>(flip);
      ASSERT_EQ(pwrite(fd, &bad, 1, static_cast<off_t>(offset)), 1);
      EXPECT_TRUE(IsFoundDamaged()) << "byte " << offset << " xor " << flip;
    }
    ASSERT_EQ(pwrite(fd, &good_[offset], 1, static_cast<off_t>(offset)), 1);
  }
  close(fd);
  EXPECT_FALSE(IsFoundDamaged());
}

TEST_F(CorruptionTest, AnArchiveCutOffAnywhereDoesNotOpen) {
  for (size_t size = good_.size(); size-- > 0;) {
    std::filesystem::resize_file(path_, size);
    EXPECT_NE(OpenError(path_), "") << size;
  }
}

TEST_F(CorruptionTest, AnArchiveWithBytesAddedDoesNotOpen) {
  Bytes longer = good_;
  longer.push_back(std::byte(0));
  WriteFile(path_, longer);
  EXPECT_NE(OpenError(path_), "");
  longer = good_;
  longer.insert(longer.begin() + 32, std::byte(0));
  WriteFile(path_, longer);
  EXPECT_NE(OpenError(path_), "");
}

// Overwrites, moves, removes and repeats pieces.
Bytes Mutate(Bytes bytes, std::mt19937_64& random) {
  for (uint64_t edits = 1 + random() % 4; edits > 0 && bytes.size() > 64; --edits) {
    const size_t at = random() % bytes.size();
    const size_t length = std::min<size_t>(1 + random() % 64, bytes.size() - at);
    const size_t from = random() % (bytes.size() - length);
    const auto place = bytes.begin() + static_cast<ptrdiff_t>(at);
    switch (random() % 5) {
      case 0:
        bytes[at] = static_cast<std::byte>(random());
        break;
      case 1:
        std::fill_n(place, length, static_cast<std::byte>(random() % 2 == 0 ? 0 : 0xff));
        break;
      case 2:
        std::copy_n(Bytes(bytes).begin() + static_cast<ptrdiff_t>(from), length, place);
        break;
      case 3:
        bytes.erase(place, place + static_cast<ptrdiff_t>(length));
        break;
      default: {
        const Bytes piece(bytes.begin() + static_cast<ptrdiff_t>(from),
                          bytes.begin() + static_cast<ptrdiff_t>(from + length));
        bytes.insert(place, piece.begin(), piece.end());
      }
    }
  }
  return bytes;
}

TEST_F(CorruptionTest, ThousandsOfRandomMutationsGiveNoWrongAnswer) {
  std::mt19937_64 random(20);
  for (int i = 0; i < 4000; ++i) {
    const Bytes bad = Mutate(good_, random);
    WriteFile(path_, bad);
    EXPECT_TRUE(IsFoundDamaged() || bad == good_) << "mutation " << i;
  }
}

}  // namespace
}  // namespace ktstr::archive
