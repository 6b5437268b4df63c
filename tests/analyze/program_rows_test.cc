// Rows as ktstr-analyze writes them: which, in which form, and where to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "program_fixture.h"
#include "terminal.h"

namespace ktstr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(ProgramTest, ATablesRowsAndColumnsCanBeChosen) {
  EXPECT_EQ(Ask(archive_ + " tasks --columns pid,comm --where 'pid = 100'").out,
            "pid  comm\n100  worker\n");
  // Of columns that are not shown, and computed ones; a comment ends where it does.
  EXPECT_EQ(Ask(archive_ + " tasks --columns comm --where \"task_kva IS NOT NULL AND switches >= 0 "
                           "AND pid = 100 -- mine\"")
                .out,
            "comm\nworker\n");
  const std::string pids = Ask(archive_ + " tasks --columns pid --sort=-pid --csv").out;
  const std::string ascending = Ask(archive_ + " tasks --columns pid --sort pid --csv").out;
  EXPECT_NE(pids, ascending);
  EXPECT_THAT(ascending, testing::StartsWith("pid\r\n0\r\n"));
  EXPECT_EQ(Ask(archive_ + " tasks --columns pid --sort pid --limit 1 2>/dev/null | cat").out,
            "pid\n  0\n");
  EXPECT_THAT(Ask(archive_ + " tasks --columns comm --where 'pid = 100' --json").out,
              HasSubstr("{\"comm\":\"worker\"}"));
  // All columns, as in JSON.
  EXPECT_THAT(Ask(archive_ + " tasks --csv").out, HasSubstr(",task_kva,"));
}

TEST_F(ProgramTest, OfSeveralTablesOneCanBeChosenAndIsWhereTheColumnsAre) {
  EXPECT_THAT(Ask(archive_ + " topology --table cpus").out, Not(HasSubstr("domains")));
  const Ran level = Ask(archive_ + " topology --columns cpu,level");
  EXPECT_EQ(level.exit_code, 0);
  EXPECT_THAT(level.out, HasSubstr("cpus: left out, has no column 'level'"));
  EXPECT_THAT(Ask(archive_ + " topology --where 'level = 0'").out,
              HasSubstr("--table chooses one"));
  EXPECT_EQ(Ask(archive_ + " topology --table domains --where 'level = 0'").exit_code, 0);
  const Ran csv = Ask(archive_ + " topology --csv");
  EXPECT_EQ(csv.exit_code, 2);
  EXPECT_THAT(csv.out, HasSubstr("choose one with --table"));
  EXPECT_THAT(Ask(archive_ + " topology --table cpus --csv").out, testing::StartsWith("cpu,"));
}

// Of a query without an end: who reads one line has it at once, and nobody complains.
TEST_F(ProgramTest, RowsAreWrittenOneByOneAndEndQuietlyWithTheirReader) {
  const std::string endless =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n";
  for (int i = 0; i < 3; ++i) {
    const Ran ran = Ask(archive_ + " sql --timeout 0 --csv '" + endless + "' 2>&1 | head -n 2");
    EXPECT_EQ(ran.out, "i\r\n1\r\n");
    EXPECT_EQ(Ask(archive_ + " sql --timeout 0 --json '" + endless + "' 2>&1 | head -n 2").out,
              "[\n  {\"i\":1},\n");
  }
  // Ended by an error, it says so behind what was found.
  const Ran late = Ask(archive_ + " sql --timeout 0.2 --csv '" + endless + "' | tail -n 1");
  EXPECT_THAT(late.out, Not(HasSubstr("i\r")));
  const Ran ended = Ask(archive_ + " sql --timeout 0.2 --csv '" + endless + "' 2>&1 >/dev/null");
  EXPECT_EQ(ended.exit_code, 4);
}

TEST_F(ProgramTest, JsonOfOursIsJsonInJson) {
  const auto rows = nlohmann::json::parse(
      Ask(archive_ + " sql 'SELECT evidence, evidence AS same FROM verdict' --json").out);
  ASSERT_FALSE(rows.empty());
  for (const auto& row : rows) {
    EXPECT_TRUE(row["evidence"].is_array()) << row;
    EXPECT_EQ(row["same"], row["evidence"]);
  }
  // Text that looks like it is text.
  EXPECT_EQ(Ask(archive_ + " sql \"SELECT '[1]' AS a\" --json").out, "[\n  {\"a\":\"[1]\"}\n]\n");
}

TEST_F(ProgramTest, LongAnswersAtATerminalComeInThePagerThatThereIs) {
  const std::vector<std::string> command = {KTSTR_ANALYZE, archive_, "schema"};
  const std::string path = "PATH=/usr/bin:/bin", xterm = "TERM=xterm";
  Terminal paged(command, {path, xterm, "PAGER=sed s/^/paged:/"});
  EXPECT_EQ(paged.ExitCode(), 0);
  EXPECT_THAT(paged.text(), HasSubstr("paged:table"));
  Terminal ours(command, {path, xterm, "PAGER=false", "KTSTR_PAGER=sed s/^/ours:/"});
  EXPECT_EQ(ours.ExitCode(), 0);
  EXPECT_THAT(ours.text(), HasSubstr("ours:table"));
  // No pager: what is asked for none, what is not there, a terminal that cannot move about; and an
  // answer that fits.
  for (const std::vector<std::string>& environment :
       {std::vector<std::string>{path, xterm, "PAGER=cat"},
        std::vector<std::string>{path, xterm, "PAGER=no-such-pager"},
        std::vector<std::string>{path, "TERM=dumb", "PAGER=sed s/^/paged:/"}}) {
    Terminal plain(command, environment);
    EXPECT_EQ(plain.ExitCode(), 0);
    EXPECT_THAT(plain.text(), HasSubstr("\ntable "));
    EXPECT_THAT(plain.text(), Not(HasSubstr("paged:")));
  }
  Terminal short_one({KTSTR_ANALYZE, archive_, "cpus"}, {path, xterm, "PAGER=sed s/^/paged:/"});
  EXPECT_EQ(short_one.ExitCode(), 0);
  EXPECT_THAT(short_one.text(), Not(HasSubstr("paged:")));
}

TEST_F(ProgramTest, SeverityHasAColourAtATerminalThatShowsColours) {
  const std::vector<std::string> command = {KTSTR_ANALYZE, archive_, "sql",
                                            "SELECT 'error' AS severity, 'error' AS text"};
  Terminal coloured(command, {"TERM=xterm"});
  EXPECT_EQ(coloured.ExitCode(), 0);
  EXPECT_THAT(coloured.text(), HasSubstr("\x1b[31merror\x1b[m     error"));
  Terminal none(command, {"TERM=xterm", "NO_COLOR=1"});
  EXPECT_EQ(none.ExitCode(), 0);
  EXPECT_THAT(none.text(), Not(HasSubstr("\x1b[31m")));
  EXPECT_THAT(Ask(archive_ + " sql \"SELECT 'error' AS severity\"").out, Not(HasSubstr("\x1b")));
}

TEST_F(ProgramTest, RowsThatAreLeftOutAreToldOnStandardError) {
  const std::string query = " sql 'SELECT pid FROM task ORDER BY pid' --limit 3";
  EXPECT_EQ(Ask(archive_ + query + " 2>/dev/null | cat").out, "pid\n  0\n  0\n  1\n");
  EXPECT_EQ(Ask(archive_ + query + " --json 2>&1 >/dev/null | cat").out,
            "only the first 3 rows; there are more\n");
  EXPECT_EQ(Ask(archive_ + " sql 'SELECT 1' --limit 1 2>&1 >/dev/null | cat").out, "");
}

TEST_F(ProgramTest, RowsAreWrittenAsCsv) {
  EXPECT_EQ(Ask(archive_ + " sql \"SELECT 1 AS a, 'x,y', NULL, '', text FROM log WHERE seq = 1\" "
                           "--csv")
                .out,
            "a,\"'x,y'\",NULL,'',text\r\n1,\"x,y\",,\"\",a line with \\x1b[31mcolour\r\n");
  EXPECT_EQ(Ask(archive_ + " sql 'SELECT 1' --csv --json").exit_code, 2);
}

}  // namespace
}  // namespace ktstr
