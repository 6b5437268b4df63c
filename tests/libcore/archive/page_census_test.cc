#include "libcore/archive/pack/page_census.h"

#include <gtest/gtest.h>

#include <cstring>

namespace ktstr::archive {
namespace {

Digest DigestOfNumber(uint64_t number) { return DigestOf(std::as_bytes(std::span(&number, 1))); }

TEST(PageCensusTest, EachPageKeepsTheIndexThatItGotFirst) {
  constexpr uint32_t kPages = 20'000;
  PageCensus census;
  for (uint32_t i = 0; i < kPages; ++i) EXPECT_EQ(census.Find(DigestOfNumber(i)), i);
  for (uint32_t i = kPages; i-- > 0;) EXPECT_EQ(census.Find(DigestOfNumber(i)), i);
  EXPECT_EQ(census.size(), kPages);
}

TEST(PageCensusTest, DigestsThatBeginAlikeAreTold) {
  PageCensus census;
  Digest digest = {};
  for (uint32_t i = 0; i < 100; ++i) {
    digest.back() = std::byte(i);
    EXPECT_EQ(census.Find(digest), i);
  }
  digest.back() = std::byte(7);
  EXPECT_EQ(census.Find(digest), 7u);
}

TEST(PageCensusTest, APageIsSharedOnceASecondUserHasIt) {
  PageCensus census;
  const PageIndex page = *census.Find(DigestOfNumber(1));
  EXPECT_EQ(census.use(page).number, PageCensus::kNoNumber);
  for (const uint32_t user : {3u, 3u}) {
    census.NoteUser(page, user);
    EXPECT_EQ(census.use(page).shared, 0u);
  }
  census.NoteUser(page, 0);
  EXPECT_EQ(census.use(page).shared, 1u);
  census.NoteUser(page, 3);
  EXPECT_EQ(census.use(page).shared, 1u);
}

TEST(PageRunsTest, PagesComeBackInTheirOrder) {
  const std::vector<PageIndex> pages = {0, 1, 2, 7, 8, 8, 7, 6, UINT32_MAX - 1, 0, 1, 9};
  PageRuns runs;
  EXPECT_TRUE(runs.Pages().empty());
  for (const PageIndex page : pages) runs.Add(page);
  EXPECT_EQ(runs.Pages(), pages);
}

}  // namespace
}  // namespace ktstr::archive
