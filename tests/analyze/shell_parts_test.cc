// What the shell is made of, without a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "analyze/shell/completer.h"
#include "analyze/shell/history_file.h"
#include "analyze/shell/statement_splitter.h"
#include "analyze/shell/words.h"
#include "fixtures/sample/temporary_directory.h"

namespace ktstr {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<std::string> Split(const std::vector<std::string>& lines) {
  StatementSplitter splitter;
  std::vector<std::string> statements;
  for (const std::string& line : lines) {
    splitter.AddLine(line);
    while (const auto statement = splitter.Next()) {
      statements.push_back(std::to_string(statement->line) + ": " + statement->text);
    }
  }
  if (const auto rest = splitter.TakeRest()) statements.push_back("rest: " + rest->text);
  return statements;
}

TEST(StatementSplitterTest, ASemicolonEndsAStatement) {
  EXPECT_THAT(Split({"a;b; c", "d;"}), ElementsAre("1: a", "1: b", "1: c\nd"));
}

TEST(StatementSplitterTest, QuotedAndCommentedSemicolonsDoNot) {
  EXPECT_THAT(Split({"';' \";\" `;` [;] 'it''s;' -- ;", "/* ; '", "*/;", "next;"}),
              ElementsAre("1: ';' \";\" `;` [;] 'it''s;' -- ;\n/* ; '\n*/", "4: next"));
}

TEST(StatementSplitterTest, BlanksAndCommentsAreNoStatement) {
  EXPECT_THAT(Split({";;", "", "-- x", "/* y */ ;"}), IsEmpty());
  StatementSplitter splitter;
  splitter.AddLine("-- only this");
  EXPECT_EQ(splitter.Next(), std::nullopt);
  EXPECT_FALSE(splitter.has_begun());
}

TEST(StatementSplitterTest, TheLastOneNeedsNoSemicolon) {
  EXPECT_THAT(Split({"a;", "b"}), ElementsAre("1: a", "rest: b"));
}

TEST(StatementSplitterTest, ALineCountsWhereItsStatementBegins) {
  EXPECT_THAT(Split({"", "-- x", "  a", ";", "b;"}), ElementsAre("3: a", "5: b"));
}

TEST(WordsTest, QuotesHoldWordsTogether) {
  EXPECT_THAT(SplitWords(" .print  rq 'a b'\"c\" '' ").value(),
              ElementsAre(".print", "rq", "a bc", ""));
  EXPECT_EQ(SplitWords("'open").error().code(), ErrorCode::kInvalidArgument);
}

TEST(WordsTest, ColumnsFitTheWidthAndAreReadDownwards) {
  EXPECT_EQ(InColumns({"a", "bb", "c", "d", "e"}, 6), "a   d\nbb  e\nc\n");
  EXPECT_EQ(InColumns({"a", "b"}, 0), "a\nb\n");
}

class CompleterTest : public ::testing::Test {
 protected:
  std::vector<std::string> Complete(const std::string& before, const std::string& after = "",
                                    const std::string& statement = "") {
    return completer_.Complete({statement, before, after}).words;
  }

  Database index_ = Database::InMemory().value();
  Completer completer_{index_, {".help", ".mode", ".schema"}, [] {
                         return std::vector<std::string>{"task_struct", "task_group", "rq"};
                       }};
};

TEST_F(CompleterTest, TypesBehindPrintAndOnlyTablesBehindFrom) {
  EXPECT_THAT(Complete(".print task_"), ElementsAre("task_group", "task_struct"));
  EXPECT_THAT(Complete(".print "), ElementsAre("rq", "task_group", "task_struct"));
  EXPECT_THAT(Complete(".print task_struct ta"), IsEmpty());
  EXPECT_THAT(Complete("SELECT comm FROM ru"), ElementsAre("runnable"));
  EXPECT_THAT(Complete("SELECT comm FROM c"), Not(Contains("case")));
  EXPECT_THAT(Complete("SELECT comm FROM task JOIN "), Contains("cpu"));
}

TEST_F(CompleterTest, TablesViewsFunctionsAndKeywords) {
  EXPECT_THAT(Complete("SELECT * FROM blocked"), ElementsAre("blocked_chain"));
  EXPECT_THAT(Complete("SELECT * FROM rb"), ElementsAre("rbtree("));
  EXPECT_THAT(Complete("SELECT * FROM try_rb"), ElementsAre("try_rbtree("));
  EXPECT_THAT(Complete("SELECT group_c"), ElementsAre("group_concat("));
  EXPECT_THAT(Complete("selec"), ElementsAre("select"));
  EXPECT_THAT(Complete("SELEC"), ElementsAre("SELECT"));
  EXPECT_THAT(Complete("no_such_thing"), IsEmpty());
}

TEST_F(CompleterTest, ColumnsOfTheTablesThatTheStatementNames) {
  EXPECT_THAT(Complete("SELECT nr_", " FROM cpu"), IsSupersetOf({"nr_running", "nr_switches"}));
  EXPECT_THAT(Complete("SELECT nr_", " FROM cpu"), Not(Contains("nr_throttled")));
  EXPECT_THAT(Complete("nr_", "", "SELECT a FROM cgroup\nWHERE "), Contains("nr_throttled"));
  EXPECT_THAT(Complete("SELECT nr_"), IsSupersetOf({"nr_running", "nr_throttled"}));
}

TEST_F(CompleterTest, ColumnsBehindATableOrItsAlias) {
  EXPECT_THAT(Complete("SELECT cgroup.wei"), ElementsAre("weight"));
  EXPECT_THAT(Complete("SELECT x.com", " FROM task AS x"), ElementsAre("comm"));
  EXPECT_THAT(Complete("SELECT x.com", " FROM cpu JOIN task x"), ElementsAre("comm"));
  EXPECT_THAT(Complete("SELECT l.pos", " FROM list('a', f(1), 'b') l"), ElementsAre("position"));
  EXPECT_THAT(Complete("SELECT y.com", " FROM task x"), IsEmpty());
  EXPECT_THAT(Complete("SELECT x.", " FROM cpu x"), Contains("clock_ns"));
}

TEST_F(CompleterTest, CommandsAndTheirArguments) {
  EXPECT_THAT(Complete(".sc"), ElementsAre(".schema"));
  EXPECT_THAT(Complete(".mode c"), ElementsAre("csv"));
  EXPECT_THAT(Complete(".schema map_"), ElementsAre("map_value"));
  EXPECT_THAT(Complete(".help .m"), ElementsAre(".mode"));
  EXPECT_THAT(Complete(".s", "", "SELECT 1"), IsEmpty());
}

TEST(CommonPrefixTest, IsWhatAllBeginWith) {
  EXPECT_EQ(CommonPrefix({"dsq_depth", "dsq_id"}), "dsq_");
  EXPECT_EQ(CommonPrefix({"one"}), "one");
  EXPECT_EQ(CommonPrefix({"a", "b"}), "");
  EXPECT_EQ(CommonPrefix({}), "");
}

TEST(HistoryFileTest, IsItsOwnersAlone) {
  const synthetic::TemporaryDirectory directory;
  const auto path = directory / "state/ktstr/history";
  const HistoryFile history(path);
  EXPECT_THAT(history.Load(), IsEmpty());
  ASSERT_TRUE(history.Append("SELECT 1;"));
  ASSERT_EQ(chmod(path.c_str(), 0644), 0);
  ASSERT_TRUE(history.Append(".tables"));
  EXPECT_FALSE(history.Append("two\nlines"));
  EXPECT_THAT(history.Load(), ElementsAre("SELECT 1;", ".tables"));
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST(HistoryFileTest, KeepsTheLastEntriesOfOneThatHasGrown) {
  const synthetic::TemporaryDirectory directory;
  const HistoryFile history(directory / "history");
  std::ofstream file(directory / "history");
  for (size_t i = 0; i <= 2 * HistoryFile::kKept; ++i) file << "entry " << i << "\n";
  file.close();
  EXPECT_EQ(history.Load().size(), HistoryFile::kKept);
  std::ifstream again(directory / "history");
  std::string first;
  std::getline(again, first);
  EXPECT_EQ(first, "entry 1001");
  EXPECT_EQ(history.Load().back(), "entry 2000");
}

}  // namespace
}  // namespace ktstr
