#include "libcore/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace ktstr {
namespace {

TEST(Utf8Test, TellsTextFromBytes) {
  for (const char* text : {"", "plain", "größe", "\u20ac", "\U0010ffff"}) EXPECT_TRUE(IsUtf8(text));
  for (const char* bytes : {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf", "\xed\xa0\x80",
                            "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"}) {
    EXPECT_FALSE(IsUtf8(bytes));
  }
}

TEST(Utf8Test, ReadsOneCodePoint) {
  const auto euro = FirstCodePoint("\u20ac!");
  ASSERT_TRUE(euro);
  EXPECT_EQ(euro->value, 0x20ac);
  EXPECT_EQ(euro->size, 3);
  EXPECT_EQ(FirstCodePoint("a\u20ac")->value, 'a');
  EXPECT_FALSE(FirstCodePoint(""));
  EXPECT_FALSE(FirstCodePoint("\xe2\x82"));
  EXPECT_FALSE(FirstCodePoint("\xc0\xaf"));
}

TEST(Utf8Test, CutsBetweenCharacters) {
  EXPECT_EQ(CutAtCharacter("", 0), "");
  EXPECT_EQ(CutAtCharacter("abc", 3), "abc");
  EXPECT_EQ(CutAtCharacter("abc", 2), "ab");
  EXPECT_EQ(CutAtCharacter("a\u00e9", 2), "a");
  EXPECT_EQ(CutAtCharacter("a\u20ac", 3), "a");
  EXPECT_EQ(CutAtCharacter("a\U0001f980", 4), "a");
  EXPECT_EQ(CutAtCharacter("a\U0001f980b", 5), "a\U0001f980");
}

TEST(Utf8Test, CutsOfAnyLengthKeepTextText) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "A\u00e9\u2603\U0001f980\ufeff";
  for (size_t max = 0; max <= text.size(); ++max) {
    const std::string_view cut = CutAtCharacter(text, max);
    EXPECT_TRUE(IsUtf8(cut)) << max;
    EXPECT_LE(cut.size(), max);
    EXPECT_GE(cut.size() + 3, max);
  }
}

TEST(Utf8Test, BytesThatAreNoTextAreCutToo) {
  const std::string bytes(100, '\x80');
  EXPECT_LE(CutAtCharacter(bytes, 50).size(), 50u);
  EXPECT_GE(CutAtCharacter(bytes, 50).size(), 47u);
}

}  // namespace
}  // namespace ktstr
