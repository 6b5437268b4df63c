#include "analyze/text/output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST(TextTableTest, NullIsWhatItIsSaidToBe) {
  EXPECT_EQ(ToTextTable({{"a"}, {{Value()}, {"-"}}}, {.null = "NULL"}), "a\nNULL\n-\n");
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

TEST(CsvTest, IsWhatRfc4180Asks) {
  EXPECT_EQ(ToCsv({{"a", "b,c"}, {{"x\"y", 1.5}, {"two\nlines", int64_t{-1}}}}),
            "a,\"b,c\"\r\n\"x\"\"y\",1.5\r\ntwo\\nlines,-1\r\n");
}

TEST(CsvTest, TextsThatDifferAreWrittenDifferently) {
  EXPECT_EQ(ToCsv({{"a"}, {{"x\ny"}, {"x\\ny"}, {"\x1b"}, {"\\x1b"}}}),
            "a\r\nx\\ny\r\nx\\\\ny\r\n\\x1b\r\n\\\\x1b\r\n");
}

TEST(CsvTest, NullIsNothingAndEmptyTextIsQuoted) {
  EXPECT_EQ(ToCsv({{"a", "b", "c"}, {{Value(), "", "\x1b[0m"}}}), "a,b,c\r\n,\"\",\\x1b[0m\r\n");
}

TEST(LinesTest, EachColumnIsALineAndEachRowAParagraph) {
  EXPECT_EQ(ToLines({{"a", "long"}, {{int64_t{1}, "x\n"}, {Value(), "y"}}}, "NULL"),
            "   a = 1\nlong = x\\n\n\n   a = NULL\nlong = y\n");
}

TEST(JsonTest, BytesThatAreNoTextStillGiveJson) {
  const std::string json = ToJson({{"comm"}, {{std::string("bad\xff\x1b[0m")}}});
  EXPECT_TRUE(nlohmann::json::accept(json)) << json;
}

TEST(JsonTest, ControlCharactersBeyondAsciiAreEscapedToo) {
  EXPECT_EQ(EscapeControls("\"a\x7f\xc2\x9b\xc3\xa9\xc2\""), "\"a\\u007f\\u009b\xc3\xa9\xc2\"");
}

}  // namespace
}  // namespace ktstr
