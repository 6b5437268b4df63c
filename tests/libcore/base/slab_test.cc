#include "libcore/base/slab.h"

#include <gtest/gtest.h>

#include <cstring>
#include <optional>

namespace ktstr {
namespace {

constexpr size_t kSmallSlab = size_t{1} << 20, kHugeSlab = size_t{2} << 20;

class SlabTest : public testing::Test {
 protected:
  ~SlabTest() override { Slab::Keep(0); }
};

TEST_F(SlabTest, ItsBytesCanBeWrittenAndHugeOnesAreAligned) {
  const Slab small(3 * 4096, Slab::PageSize::kSmall), huge(kHugeSlab, Slab::PageSize::kHuge);
  for (const Slab* slab : {&small, &huge}) std::memset(slab->bytes(), 0x55, slab->size());
  EXPECT_EQ(reinterpret_cast<uintptr_t>(huge.bytes()) % kHugeSlab, 0u);
  EXPECT_EQ(small.bytes()[small.size() - 1], std::byte(0x55));
}

TEST_F(SlabTest, WhatIsKeptIsTheNextOfItsKind) {
  Slab::Keep(kSmallSlab);
  const std::byte* const place = Slab(kSmallSlab, Slab::PageSize::kSmall).bytes();
  const Slab of_another_size(kSmallSlab / 2, Slab::PageSize::kSmall),
      of_other_pages(kSmallSlab, Slab::PageSize::kHuge);
  EXPECT_NE(of_another_size.bytes(), place);
  EXPECT_NE(of_other_pages.bytes(), place);
  const Slab again(kSmallSlab, Slab::PageSize::kSmall);
  EXPECT_EQ(again.bytes(), place);
  const Slab another(kSmallSlab, Slab::PageSize::kSmall);
  EXPECT_NE(another.bytes(), place);
}

TEST_F(SlabTest, NoMoreIsKeptThanThatAndNothingAfterwards) {
  Slab::Keep(kSmallSlab);
  {
    std::optional<Slab> first(std::in_place, kSmallSlab, Slab::PageSize::kSmall),
        second(std::in_place, kSmallSlab, Slab::PageSize::kSmall);
    std::memset(first->bytes(), 1, kSmallSlab);
    std::memset(second->bytes(), 2, kSmallSlab);
    first.reset();
    second.reset();  // has no room
  }
  {
    const Slab kept(kSmallSlab, Slab::PageSize::kSmall), fresh(kSmallSlab, Slab::PageSize::kSmall);
    EXPECT_EQ(kept.bytes()[0], std::byte(1));
    EXPECT_EQ(fresh.bytes()[0], std::byte(0));
  }
  Slab::Keep(0);
  EXPECT_EQ(Slab(kSmallSlab, Slab::PageSize::kSmall).bytes()[0], std::byte(0));
}

TEST_F(SlabTest, MovingHandsItOver) {
  Slab slab(kSmallSlab, Slab::PageSize::kSmall);
  std::byte* const place = slab.bytes();
  Slab moved(std::move(slab));
  EXPECT_EQ(moved.bytes(), place);
  slab = std::move(moved);
  EXPECT_EQ(slab.bytes(), place);
}

}  // namespace
}  // namespace ktstr
