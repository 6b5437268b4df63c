#include "libcore/base/nearest_word.h"

#include <gtest/gtest.h>

#include <array>

namespace ktstr {
namespace {

constexpr std::array<std::string_view, 3> kWords = {"stack", "schema", "symbol"};

TEST(NearestWordTest, AMistypedWordIsToldItsNearest) {
  EXPECT_EQ(UnknownWord("subcommand", "stcak", kWords),
            "unknown subcommand 'stcak'; did you mean 'stack'?");
}

TEST(NearestWordTest, NeighboursThatChangedPlacesAreOneMistake) {
  constexpr std::array<std::string_view, 2> kShort = {"tag", "task"};
  EXPECT_EQ(NearestWord("tsak", kShort), "task");
}

TEST(NearestWordTest, AWordThatIsNearToNoneIsToldAll) {
  EXPECT_EQ(UnknownWord("subcommand", "qqqqqqqqqq", kWords),
            "unknown subcommand 'qqqqqqqqqq'; there are stack, schema, symbol");
}

TEST(NearestWordTest, MoreWordsThanAnybodyReadsAreNotListed) {
  const std::vector<std::string_view> many(10'000, "word");
  EXPECT_EQ(UnknownWord("type", "qqqqqqqqqq", many), "unknown type 'qqqqqqqqqq'");
}

TEST(NearestWordTest, WithoutWordsThereIsNoneToSuggest) {
  EXPECT_EQ(UnknownWord("type", "x", {}), "unknown type 'x'");
}

}  // namespace
}  // namespace ktstr
