// Which pages are not the kernel's own, in kernels of both ways to mark pages, healthy and damaged.
#include "libcore/walk/memory/page_classes.h"

#include "fixtures/synthetic/page_map_builder.h"
#include "walk_guest.h"

namespace ktstr {
namespace {

using synthetic::PageMapBuilder;
using synthetic::PageMarks;
using enum LeftOutReason;

// The frames of these tests begin here: on a multiple of the largest block, and of no use to the
// synthetic kernel itself.
constexpr Pfn kFirst(0x3000);

class PageClassesTest : public testing::TestWithParam<PageMarks> {
 protected:
  PageClassesTest() : map_(guest_.builder(), GetParam()) {}

  PageMapBuilder& map() { return map_; }
  const GuestKernel& Open() {
    map_.Finish();
    return guest_.Open();
  }
  const PageClasses& Classes() {
    if (classes_) return *classes_;
    auto read = PageClasses::Read(Open());
    if (!read) ADD_FAILURE() << read.error().ToString();
    classes_ = std::move(read).value();
    return *classes_;
  }
  LeftOutReason Of(Pfn pfn) { return Classes().Of(pfn); }
  // How many of the frames [first, first + count) are of that class.
  uint64_t Count(LeftOutReason reason, Pfn first, uint64_t count) {
    uint64_t found = 0;
    for (uint64_t i = 0; i < count; ++i) found += Of(first + i) == reason;
    return found;
  }
  // All frames there are.
  uint64_t CountAll(LeftOutReason reason) {
    return Count(reason, Pfn(0), guest_.builder().options().memory_bytes / kPageSize);
  }

  WalkGuest guest_;
  PageMapBuilder map_;
  std::optional<PageClasses> classes_;
};

TEST_P(PageClassesTest, WhatThePagesAreUsedForIsToldApart) {
  map().MakeAnonymous(kFirst);
  map().MakeFile(kFirst + 1);
  map().MakeShared(kFirst + 2);
  map().MakeSlab(kFirst + 3);
  map().MakePageTable(kFirst + 4);
  EXPECT_EQ(Of(kFirst), kUserData);
  EXPECT_EQ(Of(kFirst + 1), kPageCache);
  EXPECT_EQ(Of(kFirst + 2), kUserData);
  EXPECT_EQ(Of(kFirst + 3), kNone);
  EXPECT_EQ(Of(kFirst + 4), kNone);
  EXPECT_EQ(CountAll(kUserData), 2u);
  EXPECT_EQ(CountAll(kPageCache), 1u);
  EXPECT_EQ(CountAll(kFree), 0u);
  EXPECT_EQ(Classes().unreadable_pages(), 0u);
}

TEST_P(PageClassesTest, BlocksOfTheBuddyAllocatorAreFreeAsFarAsTheyReach) {
  map().MakeFree(kFirst, 10);
  map().MakeFree(kFirst + 1024, 0);
  map().MakeFree(kFirst + 1028, 2);
  EXPECT_EQ(Count(kFree, kFirst, 1025), 1025u);
  EXPECT_EQ(Count(kFree, kFirst + 1028, 4), 4u);
  EXPECT_EQ(CountAll(kFree), 1029u);
}

TEST_P(PageClassesTest, PagesInListsOfCpusAreFree) {
  map().MakeListed(0, kFirst + 4);
  map().MakeListed(0, kFirst + 2);
  map().MakeListed(1, kFirst + 9);
  map().MakeListed(1, kFirst + 16, 3);
  EXPECT_EQ(CountAll(kFree), 11u);
  EXPECT_EQ(Count(kFree, kFirst + 16, 8), 8u);
}

TEST_P(PageClassesTest, AllPagesOfACompoundOneAreWhatItsFirstIs) {
  map().Join(kFirst, 9);
  map().MakeFile(kFirst);
  map().Join(kFirst + 512, 2);
  map().MakeAnonymous(kFirst + 512);
  map().Join(kFirst + 516, 2);
  map().MakeSlab(kFirst + 516);
  map().MakeHugetlb(kFirst + 1024, 9);
  EXPECT_EQ(Count(kPageCache, kFirst, 512), 512u);
  EXPECT_EQ(Count(kUserData, kFirst + 512, 4), 4u);
  EXPECT_EQ(Count(kNone, kFirst + 516, 4), 4u);
  EXPECT_EQ(Count(kUserData, kFirst + 1024, 512), 512u);
}

// Threads take 2048 frames each.
TEST_P(PageClassesTest, ACompoundPageMayBeLargerThanWhatOneThreadLooksAt) {
  map().MakeHugetlb(kFirst, 12);
  EXPECT_EQ(Count(kUserData, kFirst, 4096), 4096u);
  EXPECT_EQ(CountAll(kUserData), 4096u);
}

TEST_P(PageClassesTest, TailsOfALargePageThatIsTheKernelsAreKept) {
  map().Join(kFirst, 12);
  map().MakeSlab(kFirst);
  map().MakeFree(Pfn(kFirst.value() - 1024), 10);
  EXPECT_EQ(Count(kNone, kFirst, 4096), 4096u);
  EXPECT_EQ(CountAll(kFree), 1024u);
}

// A guest could have a run for each of its pages, each of which takes room.
TEST_P(PageClassesTest, OfTailsThatLeadToManyPagesBeforeFewAreFollowed) {
  const Pfn second(kFirst.value() - 2048);
  map().Join(second, 1);
  map().MakeFile(second);
  map().MakeHugetlb(second + 2, 1);
  for (uint64_t i = 0; i < 200; ++i) {
    const Pfn head = i % 2 == 0 ? second : second + 2;
    map().Set(kFirst + i, map().HeadMember(), map().PageOf(head).value() | 1);
  }
  EXPECT_EQ(Count(kPageCache, kFirst, 200), 32u);
  EXPECT_EQ(CountAll(kUserData), 2u);
}

TEST_P(PageClassesTest, PagesThatAreAlikeAreToldOfTogether) {
  map().MakeFree(kFirst, 10);
  map().MakeAnonymous(kFirst + 1024);
  map().MakeFree(kFirst + 2048, 9);
  const PageClasses& classes = Classes();
  const Pfn end(guest_.builder().options().memory_bytes / kPageSize);
  std::vector<uint64_t> lengths;
  for (Pfn at(0); at < end;) {
    const AlikePages alike = classes.AlikeFrom(at, end - at);
    for (uint64_t i = 0; i < alike.pages; ++i) ASSERT_EQ(Of(at + i), alike.reason);
    at = at + alike.pages;
    lengths.push_back(alike.pages);
  }
  EXPECT_EQ(lengths, (std::vector<uint64_t>{0x3000, 1024, 1, 1023, 512, 0x4000 - 0x3000 - 2560}));
  EXPECT_EQ(classes.AlikeFrom(kFirst + 1000, 10).pages, 10u);
}

TEST_P(PageClassesTest, ATailWithoutAHeadIsKept) {
  map().MakeFile(kFirst);  // is no first page of a compound one
  map().Set(kFirst + 1, map().HeadMember(), map().PageOf(kFirst).value() | 1);
  map().Join(kFirst + 8, 2);
  map().MakeFile(kFirst + 8);
  map().Set(kFirst + 9, map().HeadMember(), WalkGuest::Wild().value() | 1);
  map().Set(kFirst + 10, map().HeadMember(), (map().PageOf(kFirst + 8) + 8).value() | 1);
  // To a page that comes later.
  map().Set(kFirst + 11, map().HeadMember(), map().PageOf(kFirst + 16).value() | 1);
  map().Join(kFirst + 16, 1);
  map().MakeFile(kFirst + 16);
  EXPECT_EQ(Of(kFirst + 1), kNone);
  EXPECT_EQ(Of(kFirst + 8), kPageCache);
  EXPECT_EQ(Count(kNone, kFirst + 9, 3), 3u);
  EXPECT_EQ(Count(kPageCache, kFirst + 16, 2), 2u);
}

TEST_P(PageClassesTest, PagesThatADriverLentOutAreKept) {
  map().MakeFile(kFirst);
  map().Set(kFirst, "flags", 0);  // a mapping, but not on the LRU lists: as perf's buffers
  map().MakeFile(kFirst + 1);
  map().Set(kFirst + 1, "mapping", map().PageOf(kFirst).value() | 2);  // movable, a driver's
  map().Set(kFirst + 2, "mapping", 0x7fff'0000);                       // no object of the kernel's
  map().AddFlag(kFirst + 2, "lru");
  map().MakeAnonymous(kFirst + 3);
  map().Set(kFirst + 3, "page_type", UINT32_MAX);  // anonymous, but neither mapped nor on a list
  EXPECT_EQ(Count(kNone, kFirst, 4), 4u);
}

TEST_P(PageClassesTest, ReservedAndPoisonedPagesAreKeptWhateverElseTheyAre) {
  map().MakeFile(kFirst);
  map().AddFlag(kFirst, "reserved");
  map().MakeAnonymous(kFirst + 1);
  map().AddFlag(kFirst + 1, "hwpoison");
  map().MakeFree(kFirst + 2, 1);
  map().AddFlag(kFirst + 3, "hwpoison");
  EXPECT_EQ(Count(kNone, kFirst, 2), 2u);
  EXPECT_EQ(Of(kFirst + 2), kFree);
  EXPECT_EQ(Of(kFirst + 3), kNone);
}

TEST_P(PageClassesTest, ABlockOfAnImpossibleSizeIsKept) {
  map().MakeFree(kFirst, 0);
  map().Set(kFirst, "private", 11);  // of orders 0 to 10
  map().MakeFree(kFirst + 2, 0);
  map().Set(kFirst + 2, "private", 0xdead000000000100);
  map().MakeFree(kFirst + 6, 1);
  map().Set(kFirst + 6, "private", 2);  // begins on no multiple of 4
  EXPECT_EQ(CountAll(kFree), 0u);
}

TEST_P(PageClassesTest, ABlockThatIsTooLargeEndsWherePagesAreUsed) {
  map().MakeFree(kFirst, 1);
  map().Set(kFirst, "private", 5);
  map().MakeAnonymous(kFirst + 2);
  map().Join(kFirst + 4, 2);
  EXPECT_EQ(Count(kFree, kFirst, 2), 2u);
  EXPECT_EQ(CountAll(kFree), 2u);
  EXPECT_EQ(Of(kFirst + 2), kUserData);
}

TEST_P(PageClassesTest, AUsedPageInAListOfFreeOnesIsKept) {
  map().MakeListed(0, kFirst);
  map().MakeListed(0, kFirst + 1);
  map().MakeListed(0, kFirst + 2);
  map().Set(kFirst + 1, "_refcount", 1);  // just taken, or just given back
  EXPECT_EQ(Of(kFirst), kFree);
  EXPECT_EQ(Of(kFirst + 1), kNone);
  EXPECT_EQ(Of(kFirst + 2), kFree);
}

TEST_P(PageClassesTest, AListThatCannotBeFollowedCostsOnlyItsPages) {
  map().MakeListed(0, kFirst);
  map().MakeListed(1, kFirst + 1);
  map().MakeFree(kFirst + 8, 3);
  map().Finish();
  const Kva node = map().PageOf(kFirst) + guest_.builder().MemberOf("page", "pcp_list").offset;
  guest_.builder().Put(node, WalkGuest::Wild());
  guest_.builder().Put(node + 8, WalkGuest::Wild());
  const auto classes = PageClasses::Read(guest_.Open());
  ASSERT_TRUE(classes) << classes.error().ToString();
  EXPECT_EQ(classes->Of(kFirst), kNone);
  EXPECT_EQ(classes->Of(kFirst + 1), kFree);
  EXPECT_EQ(classes->Of(kFirst + 8), kFree);
}

TEST_P(PageClassesTest, AnUnreadableMemoryMapCostsOnlyThePagesThatItTellsOf) {
  map().MakeFree(kFirst, 10);
  map().Unmap(kFirst + 256);
  EXPECT_EQ(Of(kFirst), kFree);
  EXPECT_EQ(Of(kFirst + 256), kNone);
  EXPECT_EQ(Of(kFirst + 1023), kFree);
  // One page of the map, and where struct pages cross from page to page, those that it touches.
  EXPECT_GE(Classes().unreadable_pages(), 64u);
  EXPECT_LE(Classes().unreadable_pages(), 192u);
  EXPECT_EQ(CountAll(kFree), 1024 - Classes().unreadable_pages());
}

TEST_P(PageClassesTest, APageOfTheMemoryMapThatWasLeftOutCostsOnlyThePagesThatItTellsOf) {
  map().MakeFree(kFirst, 10);
  guest_.LeaveOut(map().PageOf(kFirst + 256));
  EXPECT_EQ(Of(kFirst), kFree);
  EXPECT_EQ(Of(kFirst + 256), kNone);
  EXPECT_EQ(Of(kFirst + 1023), kFree);
}

TEST_P(PageClassesTest, MemoryWithoutAMapIsKept) {
  const uint64_t section = map().section_pages();
  const Pfn first(kFirst.value() / section * section);
  const Pfn before(first.value() - section);
  map().MakeFree(first, 10);
  map().MakeFree(before, 10);
  map().RemoveSection(first);
  EXPECT_EQ(Count(kFree, before, 1024), 1024u);
  EXPECT_EQ(Count(kFree, first, 1024), 0u);
  EXPECT_EQ(Classes().unreadable_pages(), 0u);
}

TEST_P(PageClassesTest, AMemoryMapInPiecesIsRefused) {
  map().MoveSection(kFirst);
  const auto classes = PageClasses::Read(Open());
  ASSERT_FALSE(classes);
  EXPECT_EQ(classes.error().code(), ErrorCode::kUnsupported);
}

INSTANTIATE_TEST_SUITE_P(Kernels, PageClassesTest,
                         testing::Values(PageMarks::kBits, PageMarks::kByte, PageMarks::kMask),
                         [](const auto& info) {
                           return info.param == PageMarks::kBits   ? "As6_1"
                                  : info.param == PageMarks::kByte ? "As6_12"
                                                                   : "As7_1";
                         });

TEST(PageClassesErrorTest, AKernelThatTellsNothingOfItsPagesIsAnError) {
  WalkGuest guest;
  const auto classes = PageClasses::Read(guest.Open());
  ASSERT_FALSE(classes);
  EXPECT_EQ(classes.error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace ktstr
