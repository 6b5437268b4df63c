// Prose wraps between words, whole, at a width in columns.
#include "analyze/text/wrap.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(WrappedTest, BreaksBetweenWordsAndIndentsWhatFollows) {
  EXPECT_EQ(Wrapped("one two three four", 9, 2), "one two\n  three\n  four");
  EXPECT_EQ(Wrapped("one two", 0, 2), "one two");
  EXPECT_EQ(Wrapped("", 9, 2), "");
}

TEST(WrappedTest, CutsNoWordThatIsWiderThanALine) {
  EXPECT_EQ(Wrapped("a 0xffffffff81234567 b", 8, 0), "a\n0xffffffff81234567\nb");
}

TEST(WrappedTest, KeepsTheSpacesOfALabel) {
  EXPECT_EQ(Wrapped("kernel    Linux 7.1, up 3 s", 20, 10),
            "kernel    Linux 7.1,\n          up 3 s");
  EXPECT_EQ(Wrapped("  indented text here", 12, 4), "  indented\n    text\n    here");
}

TEST(WrappedTest, CountsColumnsNotBytes) { EXPECT_EQ(Wrapped("äöü äöü", 7, 0), "äöü äöü"); }

}  // namespace
}  // namespace ktstr
