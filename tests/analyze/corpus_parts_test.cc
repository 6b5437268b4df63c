// Parts of collections that need none: what differs between answers, and what of a listing may go.
#include <gmock/gmock.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "analyze/corpus/expected.h"
#include "analyze/corpus/listing.h"

namespace ktstr {
namespace {

using testing::ElementsAre;

TEST(DifferingLinesTest, AreTheFewestThatTellTheDifference) {
  EXPECT_THAT(DifferingLines("a\nb\nc\n", "a\nb\nc\n"), ElementsAre());
  EXPECT_THAT(DifferingLines("a\nb\nc\nd\n", "a\nc\nx\nd\n"), ElementsAre("-b", "+x"));
  EXPECT_THAT(DifferingLines("", "a\n"), ElementsAre("+a"));
  EXPECT_THAT(DifferingLines("a\nb", ""), ElementsAre("-a", "-b"));
}

CorpusRow CorpusRowOf(const std::string& name, std::optional<int64_t> captured_at_ns, int64_t bytes,
                      const std::string& tags = "") {
  CorpusRow row;
  row.name = name;
  row.captured_at_ns = captured_at_ns;
  row.bytes = bytes;
  row.tags = tags;
  return row;
}

// Names of those that go, at the moment 100.
std::vector<std::string> Pruned(const std::vector<CorpusRow>& rows, const PruneOptions& options) {
  std::vector<std::string> names;
  for (const CorpusRow& row : ChooseToPrune(rows, options, 100)) names.push_back(row.name);
  return names;
}

TEST(PruneTest, TakesWhatIsTooOldAndThenTheOldest) {
  const std::vector<CorpusRow> rows = {CorpusRowOf("new", 90, 10),
                                       CorpusRowOf("old", 10, 10, "keep x"),
                                       CorpusRowOf("older", 5, 20), CorpusRowOf("mid", 50, 30)};
  const auto pruned = [&](const PruneOptions& options) { return Pruned(rows, options); };
  using std::chrono::nanoseconds;
  EXPECT_THAT(pruned({.older_than = nanoseconds(60)}), ElementsAre("older", "old"));
  EXPECT_THAT(pruned({.older_than = nanoseconds(60), .keep_tags = {"keep"}}), ElementsAre("older"));
  EXPECT_THAT(pruned({.max_bytes = 45}), ElementsAre("older", "old"));
  EXPECT_THAT(pruned({.max_bytes = 45, .keep_tags = {"keep"}}), ElementsAre("older", "mid"));
  EXPECT_THAT(pruned({.max_bytes = 70}), ElementsAre());
}

TEST(PruneTest, WhatIsOfUnknownTimeIsNotTooOldAndGoesLast) {
  const std::vector<CorpusRow> rows = {CorpusRowOf("unknown", std::nullopt, 10),
                                       CorpusRowOf("old", 10, 10)};
  const auto pruned = [&](const PruneOptions& options) { return Pruned(rows, options); };
  EXPECT_THAT(pruned({.older_than = std::chrono::nanoseconds(1)}), ElementsAre("old"));
  EXPECT_THAT(pruned({.max_bytes = 15}), ElementsAre("old"));
  EXPECT_THAT(pruned({.max_bytes = 5}), ElementsAre("old", "unknown"));
}

}  // namespace
}  // namespace ktstr
