#include "capture/command/command_line.h"

#include <gtest/gtest.h>

#include "capture/boot/guest_machine.h"

namespace ktstr {
namespace {

TEST(CommandLineTest, ATagIsSplitAtItsFirstEqualsSign) {
  const auto tags = ParseTags({"a=1", "b=x=y", "c="});
  ASSERT_TRUE(tags);
  EXPECT_EQ(tags->at("a"), "1");
  EXPECT_EQ(tags->at("b"), "x=y");
  EXPECT_EQ(tags->at("c"), "");
  EXPECT_FALSE(ParseTags({"novalue"}));
  EXPECT_FALSE(ParseTags({"=x"}));
}

TEST(CommandLineTest, WorkIsAListOfKindsAndCounts) {
  const auto work = ParseWorkerSpecs("spin:2,sleep,pipe:10");
  ASSERT_TRUE(work);
  EXPECT_EQ(*work, (std::vector<WorkerSpec>{{"spin", 2}, {"sleep", 1}, {"pipe", 10}}));
  for (const char* wrong : {"", "spin:", "spin:0", "spin:x", "spin:2,", ":3", "spin:2x"}) {
    EXPECT_EQ(ParseWorkerSpecs(wrong).error().code(), ErrorCode::kInvalidArgument) << wrong;
  }
}

}  // namespace
}  // namespace ktstr
