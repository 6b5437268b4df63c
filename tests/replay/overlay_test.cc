#include "replay/overlay.h"

#include <gtest/gtest.h>

#include <array>

#include "replay/lazy_array.h"

namespace ktstr {
namespace {

constexpr std::array<std::byte, kPageSize> kPage = {std::byte(7)};

TEST(OverlayTest, ItHoldsCopiesAndListsThemInOrder) {
  Overlay overlay(uint64_t{1} << 32);
  EXPECT_EQ(overlay.Find(5), nullptr);
  EXPECT_EQ(overlay.FindFrom(0), uint64_t{1} << 32);
  std::byte* const page = overlay.Add((uint64_t{1} << 32) - 1, kPage);
  EXPECT_EQ(page[0], std::byte(7));
  EXPECT_NE(page, kPage.data());
  overlay.Add(5, kPage);
  EXPECT_EQ(overlay.Add((uint64_t{1} << 32) - 1, kPage), page);
  EXPECT_EQ(overlay.size(), 2u);
  EXPECT_EQ(overlay.FindFrom(0), 5u);
  EXPECT_EQ(overlay.FindFrom(6), (uint64_t{1} << 32) - 1);
}

TEST(LazyArrayTest, ElementsBeginAsZeroAndStayWhereTheyAre) {
  LazyArray<uint64_t> array(100'000);
  EXPECT_EQ(array.Find(99'999), nullptr);
  uint64_t& last = array.At(99'999);
  EXPECT_EQ(last, 0u);
  last = 1;
  array.At(0) = 2;
  EXPECT_EQ(array.Find(99'999), &last);
  EXPECT_EQ(array.FindFrom(1, [](uint64_t element) { return element != 0; }), 99'999u);
  EXPECT_EQ(array.Find(50'000), nullptr);
}

TEST(LazyArrayTest, AnArrayOfNothingHasNothing) {
  const LazyArray<uint64_t> array(0);
  EXPECT_EQ(array.FindFrom(0, [](uint64_t) { return true; }), 0u);
}

}  // namespace
}  // namespace ktstr
