#include "libcore/archive/page_table.h"

#include <gtest/gtest.h>

#include <random>

#include "libcore/archive/bytes.h"
#include "libcore/archive/page_table_builder.h"

namespace ktstr::archive {
namespace {

std::string DecodeError(const ByteSink& payload, uint64_t pages, uint64_t stored) {
  const auto table = PageTable::Decode(payload.bytes(), pages, stored);
  return table ? "" : table.error().message();
}

// A payload of the given numbers after the run count.
ByteSink Payload(uint64_t runs, std::initializer_list<uint64_t> varints) {
  ByteSink sink;
  sink.Put<uint64_t>(runs);
  for (const uint64_t varint : varints) sink.PutVarint(varint);
  return sink;
}

constexpr uint64_t Head(RunKind kind, uint64_t pages) {
  return (pages - 1) << 3 | static_cast<uint64_t>(kind);
}

TEST(PageTableTest, PagesOfTheSameKindAreOneRun) {
  PageTableBuilder builder;
  for (int i = 0; i < 3; ++i) builder.AddStored();
  builder.AddZero(1000);
  builder.AddZero(24);
  for (int i = 0; i < 3; ++i) builder.AddDuplicate(1);
  for (uint64_t i = 0; i < 3; ++i) builder.AddDuplicate(i);
  builder.AddLeftOut(LeftOutReason::kFree);
  builder.AddLeftOut(LeftOutReason::kFree);
  builder.AddLeftOut(LeftOutReason::kUserData);
  builder.AddDamaged();
  const auto table = PageTable::Decode(std::move(builder).Finish(), 1037, 3);
  ASSERT_TRUE(table) << table.error().message();
  std::vector<RunKind> kinds;
  for (const PageRun& run : table->runs()) kinds.push_back(run.kind);
  EXPECT_EQ(kinds,
            (std::vector{RunKind::kStored, RunKind::kZero, RunKind::kSame, RunKind::kSequence,
                         RunKind::kLeftOut, RunKind::kLeftOut, RunKind::kDamaged}));
}

TEST(PageTableTest, EveryPageIsFoundInARandomTableOfAnyShape) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    PageTableBuilder builder;
    std::vector<RunKind> kinds;
    std::vector<uint64_t> stored_pages;
    uint64_t stored = 0;
    const uint64_t longest = uint64_t{1} << (round % 10);
    while (kinds.size() < 5000) {
      const uint64_t pages = 1 + random() % longest;
      const uint64_t choice = random() % 4;
      for (uint64_t i = 0; i < pages; ++i) {
        uint64_t target = 0;
        if (choice == 0) {
          target = stored++;
          builder.AddStored();
        } else if (choice == 1 && stored > 0) {
          target = random() % stored;
          builder.AddDuplicate(target);
        } else if (choice == 2) {
          builder.AddDamaged();
        } else {
          builder.AddZero(1);
        }
        kinds.push_back(choice == 0                 ? RunKind::kStored
                        : choice == 1 && stored > 0 ? RunKind::kSame
                        : choice == 2               ? RunKind::kDamaged
                                                    : RunKind::kZero);
        stored_pages.push_back(target);
      }
    }
    const auto table = PageTable::Decode(std::move(builder).Finish(), kinds.size(), stored);
    ASSERT_TRUE(table) << table.error().message();
    uint64_t next_not_zero = kinds.size();
    for (uint64_t i = kinds.size(); i-- > 0;) {
      const PageRun& run = table->Find(i);
      const bool ascends = run.kind == RunKind::kStored || run.kind == RunKind::kSequence;
      const RunKind kind = run.kind == RunKind::kSequence ? RunKind::kSame : run.kind;
      ASSERT_EQ(kind, kinds[i]) << i;
      ASSERT_EQ(run.stored + (ascends ? i - run.first : 0), stored_pages[i]) << i;
      if (kinds[i] != RunKind::kZero) next_not_zero = i;
      ASSERT_EQ(table->NextNotZero(i), next_not_zero);
    }
  }
}

TEST(PageTableTest, PagesThatAreOneAtAnAddressEachAreOneRunWhileTheAddressesFollow) {
  constexpr uint64_t kFrom = 0xffffea0000000000;
  PageTableBuilder builder;
  builder.AddStored();
  builder.AddStored();
  builder.AddRelocated(0, {kFrom, kFrom + 0x1000});
  builder.AddRelocated(0, {kFrom, kFrom + 0x2000});
  builder.AddRelocated(0, {kFrom, kFrom - 0x5000});
  builder.AddRelocated(1, {kFrom, kFrom - 0x4000});
  builder.AddStored();
  const auto table = PageTable::Decode(std::move(builder).Finish(), 7, 3);
  ASSERT_TRUE(table) << table.error().message();
  ASSERT_EQ(table->runs().size(), 5u);
  const auto at = [&](uint64_t index) {
    const PageRun& run = table->Find(index);
    EXPECT_EQ(run.kind, RunKind::kRelocated);
    return std::pair(run.stored, table->RelocationOf(run, index));
  };
  EXPECT_EQ(at(2), std::pair(0u, Relocation{kFrom, kFrom + 0x1000}));
  EXPECT_EQ(at(3), std::pair(0u, Relocation{kFrom, kFrom + 0x2000}));
  EXPECT_EQ(at(4), std::pair(0u, Relocation{kFrom, kFrom - 0x5000}));
  EXPECT_EQ(at(5), std::pair(1u, Relocation{kFrom, kFrom - 0x4000}));
}

TEST(PageTableTest, ARelocatedRunOfImpossibleAddressesIsRefused) {
  constexpr uint64_t kStored = Head(RunKind::kStored, 1);
  constexpr uint64_t kEnd = uint64_t{1} << 52;
  const auto error = [](uint64_t pages, uint64_t from, uint64_t distance) {
    const uint64_t head = Head(RunKind::kRelocated, pages);
    return DecodeError(Payload(2, {kStored, head, 0, from, distance}), 1 + pages, 1);
  };
  constexpr char kWrong[] = "run 1 of the page table has no valid addresses";
  EXPECT_EQ(error(2, kEnd - 4, ZigZag(2)), "");
  EXPECT_EQ(error(3, kEnd - 4, ZigZag(2)), kWrong);
  EXPECT_EQ(error(1, kEnd, ZigZag(0)), kWrong);
  EXPECT_EQ(error(1, 4, ZigZag(-5)), kWrong);
  EXPECT_EQ(error(1, 4, ZigZag(-4)), "");
  EXPECT_EQ(DecodeError(Payload(2, {kStored, Head(RunKind::kRelocated, 1), 0, 4}), 2, 1), kWrong);
  EXPECT_EQ(DecodeError(Payload(2, {kStored, Head(RunKind::kRelocated, 1), 1, 4, 0}), 2, 1),
            "run 1 of the page table refers to a stored page that does not exist");
}

TEST(PageTableTest, AGuestWithoutMemoryHasAnEmptyTable) {
  EXPECT_TRUE(PageTable::Decode(PageTableBuilder().Finish(), 0, 0));
}

TEST(PageTableTest, AHugeRunCostsNoMoreThanASmallOne) {
  PageTableBuilder builder;
  builder.AddZero(kMaxPages);
  const auto table = PageTable::Decode(std::move(builder).Finish(), kMaxPages, 0);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->Find(kMaxPages - 1).kind, RunKind::kZero);
}

TEST(PageTableTest, RunsThatContradictTheRestAreRefusedAndNamed) {
  EXPECT_EQ(DecodeError(Payload(UINT64_MAX, {}), 1, 0),
            "the page table says more runs than it has bytes");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kZero, 3)}), 2, 0),
            "run 0 of the page table goes beyond the end of memory");
  EXPECT_EQ(DecodeError(Payload(1, {UINT64_MAX}), 2, 0),
            "run 0 of the page table goes beyond the end of memory");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kStored, 2)}), 2, 1),
            "run 0 of the page table has more stored pages than there are");
  EXPECT_EQ(DecodeError(Payload(2, {Head(RunKind::kStored, 1), Head(RunKind::kSame, 1), 1}), 2, 1),
            "run 1 of the page table refers to a stored page that does not exist");
  EXPECT_EQ(
      DecodeError(Payload(2, {Head(RunKind::kStored, 1), Head(RunKind::kSequence, 2), 0}), 3, 1),
      "run 1 of the page table refers to stored pages that do not exist");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kLeftOut, 1), 0}), 1, 0),
            "run 0 of the page table has no valid reason");
  EXPECT_EQ(DecodeError(Payload(1, {7}), 1, 0), "run 0 of the page table is of no known kind");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kZero, 1)}), 2, 0),
            "the page table covers 1 pages and 0 stored pages, where there are 2 and 0");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kZero, 2), 0}), 2, 0),
            "the page table goes on after its last run");
  EXPECT_EQ(DecodeError(Payload(1, {Head(RunKind::kZero, 2)}), 2, 1),
            "the page table covers 2 pages and 0 stored pages, where there are 2 and 1");
}

}  // namespace
}  // namespace ktstr::archive
