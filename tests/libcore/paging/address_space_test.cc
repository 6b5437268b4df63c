#include "libcore/paging/address_space.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "fixtures/synthetic/page_tables.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::PageTables;
using ::testing::HasSubstr;

constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;
constexpr Pa kPool(0x100000);

// Every claim below holds for both paging depths.
class AddressSpaceTest : public ::testing::TestWithParam<int> {
 protected:
  AddressSpaceTest()
      : memory_(64 * kMiB),
        tables_(memory_, kPool, GetParam()),
        space_(memory_, tables_.root(),
               GetParam() == 5 ? PagingMode::kFiveLevel : PagingMode::kFourLevel) {}

  BufferMemory memory_;
  PageTables tables_;
  AddressSpace space_;
};

INSTANTIATE_TEST_SUITE_P(Levels, AddressSpaceTest, ::testing::Values(4, 5),
                         [](const auto& info) { return std::to_string(info.param) + "Level"; });

TEST_P(AddressSpaceTest, TranslatesA4KiBLeaf) {
  tables_.Map(Kva(0xffffc90000001000), Pa(0x5000));
  EXPECT_EQ(space_.Translate(Kva(0xffffc90000001234)), Pa(0x5234));
  EXPECT_EQ(space_.Walk(Kva(0xffffc90000001234))->page_size, kPageSize);
}

TEST_P(AddressSpaceTest, TranslatesA2MiBLeafWhosePatBitIsSet) {
  const Kva va(0xffffffff81000000);
  tables_.SetEntry(va, 2, 0x600000 | 0x1e3 | 0x1000);
  EXPECT_EQ(space_.Translate(va + 0x12345), Pa(0x612345));
  EXPECT_EQ(space_.Walk(va + 0x12345)->page_size, 2 * kMiB);
}

TEST_P(AddressSpaceTest, TranslatesA1GiBLeaf) {
  const Kva va(0xffff888040000000);
  tables_.Map(va, Pa(kGiB), kGiB);
  EXPECT_EQ(space_.Translate(va + 0x2345678), Pa(kGiB + 0x2345678));
  EXPECT_EQ(space_.Walk(va)->page_size, kGiB);
}

TEST_P(AddressSpaceTest, ACachedTranslationIsTheSameAsAWalkedOne) {
  // Addresses that share cache slots: same low bits of the page number, different high bits.
  std::vector<Kva> addresses;
  for (uint64_t i = 0; i < 64; ++i) {
    addresses.push_back(Kva(0xffffc90000000000 + i * (uint64_t{1} << 26)));
    tables_.Map(addresses.back(), Pa(0x1000 * (i + 1)));
  }
  for (int round = 0; round < 3; ++round) {
    for (uint64_t i = 0; i < addresses.size(); ++i) {
      EXPECT_EQ(space_.Translate(addresses[i] + 5), Pa(0x1000 * (i + 1) + 5));
    }
  }
}

TEST_P(AddressSpaceTest, EachPageOfALargeLeafIsTranslatedOnItsOwn) {
  const Kva two_mib(0xffff888000200000), one_gib(0xffff888040000000);
  tables_.Map(two_mib, Pa(0x400000), 2 * kMiB);
  tables_.Map(one_gib, Pa(3 * kGiB), kGiB);
  for (uint64_t offset : {0ul, 0x1fffffful & 0x1ff000, 0x1000ul, 0x0ul}) {
    EXPECT_EQ(space_.Translate(two_mib + offset), Pa(0x400000 + offset));
    EXPECT_EQ(space_.Translate(one_gib + offset + 4 * kMiB), Pa(3 * kGiB + offset + 4 * kMiB));
  }
}

TEST_P(AddressSpaceTest, AHoleAtEveryLevelIsUnmappedAndTheErrorNamesTheLevel) {
  const char* const names[] = {"", "PTE", "PMD", "PUD", "P4D", "PGD"};
  for (int level = 1; level <= GetParam(); ++level) {
    // An address of its own for each level, so that no level inherits another's tables.
    const Kva va(0xffff900000000000 + static_cast<uint64_t>(level) * (uint64_t{1} << 39));
    tables_.SetEntry(va, level, 0xabcde000);
    const auto pa = space_.Translate(va);
    ASSERT_FALSE(pa) << level;
    EXPECT_EQ(pa.error().code(), ErrorCode::kUnmapped);
    const std::string name = level == 4 && GetParam() == 4 ? "P4D" : names[level];
    EXPECT_THAT(pa.error().message(), HasSubstr("its " + name + " at"));
    EXPECT_THAT(pa.error().message(), HasSubstr("0xabcde000"));
  }
}

TEST_P(AddressSpaceTest, ANonCanonicalAddressIsUnmapped) {
  const Kva hole = GetParam() == 5 ? Kva(0x0100000000000000) : Kva(0x0000800000000000);
  EXPECT_EQ(space_.Translate(hole).error().code(), ErrorCode::kUnmapped);
  EXPECT_THAT(space_.Translate(hole).error().message(), HasSubstr("not a canonical address"));
  if (GetParam() == 4) {
    EXPECT_EQ(space_.Translate(Kva(0xff11000000000000)).error().code(), ErrorCode::kUnmapped);
  }
}

TEST_P(AddressSpaceTest, ATableThatPointsAtItselfEndsTheWalkAfterAsManyStepsAsThereAreLevels) {
  // The same index at every level, so that each step arrives at the root again.
  constexpr uint64_t kIndex = 0x1f8;
  uint64_t va = GetParam() == 5 ? 0xfe00000000000000 : 0xffff000000000000;
  for (int level = 1; level <= GetParam(); ++level) va |= kIndex << (12 + 9 * (level - 1));
  tables_.SetEntry(Kva(va), GetParam(), tables_.root().value() | 0x67);
  EXPECT_EQ(space_.Translate(Kva(va) + 0x18), tables_.root() + 0x18);
}

TEST_P(AddressSpaceTest, AnEntryThatNoProcessorAcceptsIsDamage) {
  const Kva va(0xffffb00000000000);
  tables_.SetEntry(va, 4, 0x600000 | 0xe7);
  EXPECT_EQ(space_.Translate(va).error().code(), ErrorCode::kDamaged);
}

TEST_P(AddressSpaceTest, ATableThatWasNotCapturedIsUnreadableNotUnmapped) {
  const Kva va(0xffffc90000001000);
  tables_.Map(va, Pa(0x5000));
  memory_.LeaveOut(Pfn::Of(tables_.EntryAddress(va, 1)), LeftOutReason::kFree);
  EXPECT_EQ(space_.Translate(va).error().code(), ErrorCode::kUnreadable);
}

TEST_P(AddressSpaceTest, ATableOutsideMemoryIsOutOfRange) {
  const Kva va(0xffffc90000001000);
  tables_.SetEntry(va, 2, 0xfffff000 | 0x67);
  EXPECT_EQ(space_.Translate(va).error().code(), ErrorCode::kOutOfRange);
}

TEST_P(AddressSpaceTest, AReadAcrossPagesFollowsEachPagesOwnTranslation) {
  const Kva va(0xffffc90000001000);
  tables_.Map(va, Pa(0x9000));
  tables_.Map(va + kPageSize, Pa(0x5000));
  memory_.Put<uint32_t>(Pa(0x9ffc), 0x11111111);
  memory_.Put<uint32_t>(Pa(0x5000), 0x22222222);
  EXPECT_EQ(space_.ReadScalar<uint64_t>(va + 0xffc), 0x2222222211111111u);
  const uint64_t value = 0x3333333344444444;
  ASSERT_TRUE(space_.Write(va + 0xffc, std::as_bytes(std::span<const uint64_t, 1>(&value, 1))));
  EXPECT_EQ(memory_.ReadScalar<uint32_t>(Pa(0x9ffc)), 0x44444444u);
  EXPECT_EQ(memory_.ReadScalar<uint32_t>(Pa(0x5000)), 0x33333333u);
}

TEST_P(AddressSpaceTest, FirstMappedSkipsHolesOfEveryLevel) {
  tables_.Map(Kva(0xffffffff9a000000), Pa(0x200000), 2 * kMiB);
  EXPECT_EQ(space_.FirstMapped(Kva(0xffffffff80000000), Kva(0xffffffffc0000000)),
            Kva(0xffffffff9a000000));
  EXPECT_EQ(space_.FirstMapped(Kva(0xffffffffa0000000), Kva(0xffffffffc0000000)), std::nullopt);
}

TEST_P(AddressSpaceTest, FirstMappedEndsAtTheTopOfTheAddressSpace) {
  EXPECT_EQ(space_.FirstMapped(Kva(0xffffffffffe00000), Kva(~uint64_t{0})), std::nullopt);
}

TEST_P(AddressSpaceTest, FlushSeesChangedTables) {
  const Kva va(0xffffc90000001000);
  tables_.Map(va, Pa(0x5000));
  ASSERT_EQ(space_.Translate(va), Pa(0x5000));
  tables_.Map(va, Pa(0x6000));
  space_.Flush();
  EXPECT_EQ(space_.Translate(va), Pa(0x6000));
}

TEST_P(AddressSpaceTest, ThreadsThatShareTheCacheGetRightAnswers) {
  constexpr uint64_t kPages = 256;
  const auto at = [](uint64_t i) { return Kva(0xffffc90000000000 + i * (uint64_t{1} << 26)); };
  for (uint64_t i = 0; i < kPages; ++i) tables_.Map(at(i), Pa(0x1000 * (i + 1)));
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < 20000; ++i) {
        const uint64_t n = (i * 7 + static_cast<uint64_t>(t)) % kPages;
        if (space_.Translate(at(n)) != Pa(0x1000 * (n + 1))) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace ktstr
