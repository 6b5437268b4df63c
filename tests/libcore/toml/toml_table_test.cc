// Proves: what no TOML file may have is told by its line, whatever letters it is made of, and what
// a file may have is taken.
#include "libcore/toml/toml_table.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

std::string MistakeIn(std::string_view text) {
  const auto parsed = ParseToml(text, "f.toml");
  return parsed ? "none" : parsed.error().message();
}

TEST(ParseTomlTest, LettersBeyondAsciiWhereSpacesMayBeAreTold) {
  // One of each part of Unicode that toml++ has a table for, and of those between them.
  for (const char* letter : {"é", "ω", "ж", "ก", "中", "\uFFFD", "\uFE00", "𝔸"}) {
    EXPECT_TRUE(MistakeIn(std::string("a = 1\n") + letter + " = 2\n").starts_with("f.toml:2: "))
        << letter << ": " << MistakeIn(std::string("a = 1\n") + letter + " = 2\n");
    EXPECT_TRUE(MistakeIn(std::string("a = true") + letter + "\n").starts_with("f.toml:1: "))
        << letter;
  }
}

TEST(ParseTomlTest, LettersBeyondAsciiMayBeInStringsAndComments) {
  const auto parsed = ParseToml("\"é\" = 'жд'  # 中\n", "f.toml");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ((*parsed)["é"].value_or(std::string()), "жд");
}

TEST(ParseTomlTest, KeyThatNothingFollowsIsTold) {
  EXPECT_TRUE(MistakeIn("[").starts_with("f.toml:1: "));
  EXPECT_TRUE(MistakeIn("\n[a.\n").starts_with("f.toml:2: "));
  EXPECT_TRUE(MistakeIn("a").starts_with("f.toml:1: "));
}

}  // namespace
}  // namespace ktstr
