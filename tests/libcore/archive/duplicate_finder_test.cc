#include "libcore/archive/duplicate_finder.h"

#include <gtest/gtest.h>

#include "fixtures/synthetic/buffer_memory.h"

namespace ktstr::archive {
namespace {

using synthetic::BufferMemory;

TEST(DuplicateFinderTest, PagesWithTheSameHashButOtherBytesAreNotDuplicates) {
  BufferMemory memory(8 * kPageSize);
  for (uint64_t i = 0; i < 8; ++i) memory.Put<uint64_t>(Pfn(i).pa(), i % 4);
  DuplicateFinder finder(memory);
  constexpr uint64_t kForged = 42;
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(finder.FindOrStore(Pfn(i), kForged, 0).value());
  }
  for (uint64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(finder.FindOrStore(Pfn(4 + i), kForged, 0).value()->stored, i);
  }
}

TEST(DuplicateFinderTest, ItFindsEveryDuplicateHoweverManyPagesThereAre) {
  constexpr uint64_t kPages = 10'000;
  BufferMemory memory(2 * kPages * kPageSize);
  for (uint64_t i = 0; i < 2 * kPages; ++i) memory.Put<uint64_t>(Pfn(i).pa(), i % kPages);
  DuplicateFinder finder(memory);
  for (uint64_t i = 0; i < kPages; ++i) ASSERT_FALSE(finder.FindOrStore(Pfn(i), i * i, 0).value());
  for (uint64_t i = 0; i < kPages; ++i) {
    const auto match = finder.FindOrStore(Pfn(kPages + i), i * i, 0).value();
    ASSERT_TRUE(match);
    ASSERT_EQ(match->stored, i);
  }
}

TEST(DuplicateFinderTest, APageThatCanNoLongerBeReadIsAnErrorNotADuplicate) {
  BufferMemory memory(2 * kPageSize);
  DuplicateFinder finder(memory);
  ASSERT_FALSE(finder.FindOrStore(Pfn(0), 1, 0).value());
  memory.Damage(Pfn(0));
  EXPECT_EQ(finder.FindOrStore(Pfn(1), 1, 0).error().code(), ErrorCode::kUnreadable);
}

}  // namespace
}  // namespace ktstr::archive
