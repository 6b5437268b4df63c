#include "libcore/base/safe_text.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(SafeTextTest, NothingThatATerminalObeysGetsThrough) {
  EXPECT_EQ(SafeText("plain äöü €"), "plain äöü €");
  EXPECT_EQ(SafeText("\x1b[31mred\x07"), "\\x1b[31mred\\x07");
  EXPECT_EQ(SafeText("two\nlines\t."), "two\\nlines\\t.");
  EXPECT_EQ(SafeText("bad\xff\xc3"), "bad\\xff\\xc3");
  EXPECT_EQ(SafeText("c1 \xc2\x9b"), "c1 \\x9b");
  EXPECT_EQ(SafeText("bidi \u202e"), "bidi \\u202e");
  EXPECT_EQ(SafeText("overlong \xc0\x80"), "overlong \\xc0\\x80");
}

TEST(SafeTextTest, CutsBetweenCharacters) {
  EXPECT_EQ(CutTo("äöü", 3), "äöü");
  EXPECT_EQ(CutTo("äöüß", 3), "äö…");
  EXPECT_EQ(DisplayWidth("äöü"), 3u);
}

}  // namespace
}  // namespace ktstr
