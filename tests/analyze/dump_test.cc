// The kernel's dump, by parts: masks as the kernel prints them, and text in an issue tracker.
#include <gtest/gtest.h>

#include "analyze/text/cpu_mask_text.h"
#include "analyze/text/tracker_text.h"

namespace ktstr {
namespace {

TEST(CpuMaskTextTest, HasAsManyDigitsAsTheMachineHasCpus) {
  EXPECT_EQ(CpuMaskText("0-1", 2), "3");
  EXPECT_EQ(CpuMaskText("1", 8), "02");
  EXPECT_EQ(CpuMaskText("0,9", 10), "201");
  EXPECT_EQ(CpuMaskText("", 64), "00000000,00000000");
  EXPECT_EQ(CpuMaskText("0-39", 40), "ff,ffffffff");
  EXPECT_EQ(CpuMaskText("32", 33), "1,00000000");
}

TEST(CpuMaskTextTest, LeavesOutCpusThatTheMachineCannotHave) {
  EXPECT_EQ(CpuMaskText("0-8191", 2), "3");
  EXPECT_EQ(CpuMaskText("1,5", 2), "2");
}

TEST(CpuMaskTextTest, WhatIsNoListIsAnError) {
  for (const char* list : {"x", "1-", "-1", "1;2", "0-1x", "99999999999999999999"}) {
    const auto mask = CpuMaskText(list, 4);
    ASSERT_FALSE(mask) << list;
    EXPECT_EQ(mask.error().code(), ErrorCode::kDamaged) << list;
  }
  EXPECT_FALSE(CpuMaskText("0", 0));
}

TEST(TrackerTextTest, NothingOfTheGuestsIsMarkup) {
  EXPECT_EQ(AsMarkdown("a_b [x](y) `z` <b>"), "a\\_b \\[x\\](y) \\`z\\` \\<b\\>");
  EXPECT_EQ(AsMarkdown("ctx@maintainer\n"), "ctx&#64;maintainer\\\\n");
}

TEST(TrackerTextTest, AFenceIsLongerThanAnyInItsText) {
  EXPECT_EQ(FencedBlock("a\n"), "```text\na\n```\n");
  EXPECT_EQ(FencedBlock("```` b"), "`````text\n```` b\n`````\n");
}

}  // namespace
}  // namespace ktstr
