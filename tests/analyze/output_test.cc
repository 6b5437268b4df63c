#include "ktstr/analyze/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "ktstr/analyze/safe_text.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const QueryResult kResult = {
    {"pid", "comm", "time"},
    {{int64_t{1}, "init", 0.25}, {int64_t{12345}, "a-very-long-name-here", Value()}}};

TEST(TextTableTest, NumbersStandRightTextLeftAndUnknownIsADash) {
  EXPECT_EQ(ToTextTable(kResult),
            "  pid  comm                   time\n"
            "    1  init                   0.25\n"
            "12345  a-very-long-name-here     -\n");
}

TEST(TextTableTest, TextIsCutToFitAndSaysSo) {
  const std::string text = ToTextTable(kResult, {.max_width = 26});
  EXPECT_EQ(text,
            "  pid  comm           time\n"
            "    1  init           0.25\n"
            "12345  a-very-long-…     -\n");
}

TEST(TextTableTest, NoRowsStillHaveAHeader) { EXPECT_EQ(ToTextTable({{"a", "b"}, {}}), "a  b\n"); }

TEST(JsonTest, IsAnArrayOfObjectsInColumnOrderWithNulls) {
  EXPECT_EQ(ToJson(kResult),
            "[\n  {\"pid\":1,\"comm\":\"init\",\"time\":0.25},\n"
            "  {\"pid\":12345,\"comm\":\"a-very-long-name-here\",\"time\":null}\n]\n");
  EXPECT_EQ(ToJson({{"a"}, {}}), "[]\n");
}

TEST(JsonTest, BytesThatAreNoTextStillGiveJson) {
  const std::string json = ToJson({{"comm"}, {{std::string("bad\xff\x1b[0m")}}});
  EXPECT_TRUE(nlohmann::json::accept(json)) << json;
}

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
