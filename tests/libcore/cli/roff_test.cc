#include "libcore/cli/roff.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(RoffTest, EveryCharacterComesOutAsItIs) {
  EXPECT_EQ(RoffEscape("--keep"), "\\-\\-keep");
  EXPECT_EQ(RoffEscape("a\\n"), "a\\(rsn");
  EXPECT_EQ(RoffEscape("'x' `y` \"z\" ~ ^"), "\\(aqx\\(aq \\(gay\\(ga \\(dqz\\(dq \\(ti \\(ha");
  EXPECT_EQ(RoffEscape("PART,…"), "PART,\\[u2026]");
  EXPECT_EQ(RoffEscape("\xff"), "?");
}

TEST(RoffTest, NoLineIsTakenForARequest) {
  EXPECT_EQ(RoffLines(".help\n'quoted'"), "\\&.help\n\\(aqquoted\\(aq\n");
}

TEST(RoffTest, LinesThatAreIndentedStandAsTheyAreAndOthersAreFilled) {
  EXPECT_EQ(RoffText("One\ntwo.\n\nThree:\n  a b\n    c\n\n  d\nFour."),
            "One\ntwo.\n.PP\nThree:\n"
            ".PP\n.RS 4\n.EX\na b\n  c\n.sp\nd\n.EE\n.RE\n"
            "Four.\n");
}

}  // namespace
}  // namespace ktstr
