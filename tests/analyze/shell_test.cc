// ktstr-analyze FILE shell: by pipe, and as somebody at a terminal uses it.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "archives.h"
#include "fixtures/sample/temporary_directory.h"
#include "terminal.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kEndless[] =
    "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT count(*) FROM r;\n";

class ShellTest : public ::testing::Test {
 protected:
  ShellTest() : archive_(directory_ / "my-guest.kts") { WriteGuest(MakeGuest(), archive_); }

  struct Ran {
    int exit_code;
    std::string out, err;
  };
  // What the shell makes of this text from a pipe.
  Ran Pipe(const std::string& input) {
    std::ofstream(directory_ / "input") << input;
    const std::string command = fmt::format("cd {} && {} my-guest.kts shell < input > out 2> err",
                                            directory_.path().string(), KTSTR_ANALYZE);
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), TextOf("out"), TextOf("err")};
  }
  std::string TextOf(const std::string& name) {
    std::ifstream file(directory_ / name);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }
  Terminal OnTerminal(unsigned short columns = 120) {
    return Terminal({KTSTR_ANALYZE, archive_, "shell"},
                    {"TERM=xterm", "LC_ALL=C.UTF-8", "HOME=" + directory_.path().string(),
                     "XDG_STATE_HOME=" + (directory_ / "state").string()},
                    columns);
  }

  synthetic::TemporaryDirectory directory_;
  std::string archive_;
};

TEST_F(ShellTest, StatementsFromAPipeAreAnsweredOneAfterTheOther) {
  const Ran ran = Pipe(
      "SELECT 1 AS a; SELECT ';' AS b -- ; no end\n;\n\n-- nothing\nSELECT\n  3 AS c /* ; */\n");
  EXPECT_EQ(ran.out, "a\n1\nb\n;\nc\n3\n");
  EXPECT_EQ(ran.err, "");
  EXPECT_EQ(ran.exit_code, 0);
}

TEST_F(ShellTest, AStatementThatFailsIsToldWithItsPlaceAndTheOthersAreRun) {
  const Ran ran = Pipe("SELECT 1;\n\nSELECT\n  nmber;\nDELETE FROM task;\nSELECT 2;\n.taks\n");
  EXPECT_EQ(ran.out, "1\n1\n2\n2\n");
  EXPECT_EQ(ran.err,
            "line 3: no such column: nmber (its line 2, character 3: nmber)\n"
            "line 5: the query would change something; only reading is allowed\n"
            "line 7: unknown command '.taks'; did you mean '.tasks'?\n");
  EXPECT_EQ(ran.exit_code, 2);
}

TEST_F(ShellTest, ModesAreThoseOfSqlitesShell) {
  const std::string query = "SELECT 1 AS a, NULL AS b;\n";
  EXPECT_EQ(Pipe(".mode json\n" + query).out, "[\n  {\"a\":1,\"b\":null}\n]\n");
  EXPECT_EQ(Pipe(".mode csv\n" + query).out, "a,b\r\n1,\r\n");
  EXPECT_EQ(Pipe(".mode line\n.nullvalue nil\n" + query).out, "a = 1\nb = nil\n");
  EXPECT_EQ(Pipe(".mode csv\n.mode table\n.mode\n" + query).out, "table\na  b\n1  -\n");
  EXPECT_THAT(Pipe(".mode html\n").err, HasSubstr("unknown mode 'html'"));
}

TEST_F(ShellTest, SubcommandsAreCommandsWithTheSameArguments) {
  EXPECT_THAT(Pipe(".stack 100\n").out, HasSubstr("worker (100), S in schedule"));
  EXPECT_THAT(Pipe(".print task_struct init_task comm\n").out, HasSubstr("char[16] at 0x"));
  EXPECT_THAT(Pipe(".bytes saved_command_line 8\n").out, HasSubstr("<saved_command_line+0x0>"));
  EXPECT_THAT(Pipe(".tasks --json\n.mode\n").out, HasSubstr("\"comm\":\"init\""));
  EXPECT_THAT(Pipe(".schema task\n").out, testing::StartsWith("task: Every thread"));
  EXPECT_THAT(Pipe(".help stack\n").out, HasSubstr("--cpu"));
  EXPECT_THAT(Pipe(".stack --cpu nobody\n").err, testing::StartsWith("line 1: .stack: "));
  const Ran wrong = Pipe(".stack nobody\n");
  EXPECT_THAT(wrong.err, testing::StartsWith("line 1: unknown thread 'nobody'"));
  EXPECT_EQ(wrong.exit_code, 2);
}

TEST_F(ShellTest, TablesAndHelpListWhatThereIs) {
  EXPECT_EQ(Pipe(".tables dsq%\n").out, "dsq\ndsq_depth\ndsq_task\n");
  for (const char* command : {".read FILE", ".quit", ".findings", ".print", ".bytes"}) {
    EXPECT_THAT(Pipe(".help\n").out, HasSubstr(command));
  }
}

TEST_F(ShellTest, AFileIsReadAndItsErrorsNameIt) {
  std::ofstream(directory_ / "some.sql") << "SELECT 1 AS a;\nSELECT x;\n.read some.sql\n";
  const Ran ran = Pipe(".read some.sql\nSELECT 2 AS b;\n.read none.sql\n");
  EXPECT_THAT(ran.out, testing::EndsWith("b\n2\n"));
  EXPECT_THAT(ran.err, HasSubstr("some.sql, line 2: no such column: x"));
  EXPECT_THAT(ran.err, HasSubstr("some.sql is read by itself"));
  EXPECT_THAT(ran.err, HasSubstr("line 3: none.sql: No such file"));
}

TEST_F(ShellTest, LimitsAreSetByCommands) {
  const Ran ran = Pipe(".limit 1\nSELECT pid FROM task ORDER BY pid DESC;\n.limit\n");
  EXPECT_EQ(ran.out, "pid\n102\n1 rows\n");
  EXPECT_EQ(ran.err, "only the first row; there are more\n");
  EXPECT_THAT(Pipe(std::string(".timeout 0.1\n") + kEndless).err, HasSubstr("longer than 0.1 s"));
  EXPECT_EQ(Pipe(".timeout soon\n").exit_code, 2);
}

TEST_F(ShellTest, WhatCannotBeReadIsToldOfEachStatementOnItsOwn) {
  const Ran ran = Pipe("SELECT try_read_u8(0);\nSELECT 1;\nSELECT try_read_u8(16);\n");
  EXPECT_THAT(ran.err, testing::MatchesRegex("not read: 1\n  unmapped: try_read_u8.0.: [^\n]*\n"
                                             "not read: 1\n  unmapped: try_read_u8.16.: [^\n]*\n"));
}

TEST_F(ShellTest, TextOfTheGuestCannotDriveTheTerminal) {
  for (const char* mode : {"table", "json", "csv", "line"}) {
    const Ran ran = Pipe(fmt::format(
        ".mode {}\nSELECT text FROM log;\n.log\nSELECT read_u8(text) FROM log;\n", mode));
    EXPECT_THAT(ran.out + ran.err, Not(HasSubstr("\x1b"))) << mode;
  }
}

TEST_F(ShellTest, QuitEndsItAndWhatFollowsIsNotRun) {
  EXPECT_EQ(Pipe("SELECT 1;\n.quit\nSELECT 2;\n").out, "1\n1\n");
}

TEST_F(ShellTest, AnArchiveThatIsNoneIsExitCode3) {
  std::ofstream(archive_) << "nothing";
  EXPECT_EQ(Pipe("SELECT 1;\n").exit_code, 3);
}

TEST_F(ShellTest, ThePromptNamesTheArchiveAndAsksForTheRestOfAStatement) {
  Terminal terminal = OnTerminal();
  EXPECT_TRUE(terminal.Shows("frozen 2023-11-14")) << terminal.text();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT 4700 +\n");
  EXPECT_TRUE(terminal.Shows("     ...> "));
  terminal.Type("11 AS sum, NULL AS none;\n");
  EXPECT_TRUE(terminal.Shows("4711  NULL")) << terminal.text();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("\x04");
  EXPECT_EQ(terminal.ExitCode(), 0);
}

TEST_F(ShellTest, TabCompletesTablesColumnsFunctionsAndCommands) {
  Terminal terminal = OnTerminal();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT count(*) * 0 + 4711 FROM machi\t;\n");
  EXPECT_TRUE(terminal.Shows("4711\r\nmy-guest> ")) << terminal.text();
  terminal.Type("sel\t count(t.is_kth\t) * 0 + 4712 FROM task AS t;\n");
  // Only what stands before the cursor is known, and what follows it.
  EXPECT_TRUE(terminal.Shows("my-guest> ")) << terminal.text();
  terminal.Type("select symbol_addr\t'init_task') IS NOT NULL AS x, 4713 AS y;\n");
  EXPECT_TRUE(terminal.Shows("1  4713")) << terminal.text();
  terminal.Type(".memo\t\n");
  EXPECT_TRUE(terminal.Shows("fate")) << terminal.text();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT * FROM dsq_\t");
  EXPECT_TRUE(terminal.Shows("dsq_depth")) << terminal.text();
  EXPECT_TRUE(terminal.Shows("dsq_task")) << terminal.text();
  // The line is still there.
  EXPECT_TRUE(terminal.Shows("my-guest> SELECT * FROM dsq_")) << terminal.text();
}

TEST_F(ShellTest, HistoryIsKeptForItsOwnerAndComesBack) {
  {
    Terminal terminal = OnTerminal();
    EXPECT_TRUE(terminal.Shows("my-guest> "));
    terminal.Type("SELECT 4700\n");
    EXPECT_TRUE(terminal.Shows("...> "));
    terminal.Type("+ 11 AS sum;\n");
    EXPECT_TRUE(terminal.Shows("4711\r\nmy-guest> ")) << terminal.text();
    terminal.Type("\x04");
    EXPECT_EQ(terminal.ExitCode(), 0);
  }
  const fs::path history = directory_ / "state/ktstr/history";
  EXPECT_EQ(TextOf("state/ktstr/history"), "SELECT 4700 + 11 AS sum;\n");
  struct stat status = {};
  ASSERT_EQ(stat(history.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  Terminal terminal = OnTerminal();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("\x1b[A\n");
  EXPECT_TRUE(terminal.Shows("4711\r\nmy-guest> ")) << terminal.text();
}

TEST_F(ShellTest, CtrlCDropsTheLineAndEndsAQueryButNotTheShell) {
  Terminal terminal = OnTerminal();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT nonsense\n");
  EXPECT_TRUE(terminal.Shows("...> "));
  terminal.Type("more of\x03");
  EXPECT_TRUE(terminal.Shows("^C\r\nmy-guest> ")) << terminal.text();
  terminal.Type(".timeout 0\n");
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type(kEndless);
  // A Ctrl-C before that is one of typing.
  EXPECT_TRUE(terminal.Shows("FROM r;\r\n"));
  EXPECT_TRUE(terminal.ShowsAtCtrlC("the query was interrupted\r\n")) << terminal.text();
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT 4700 + 11 AS sum;\n");
  EXPECT_TRUE(terminal.Shows("4711\r\nmy-guest> ")) << terminal.text();
  terminal.Type("\x04");
  EXPECT_EQ(terminal.ExitCode(), 0);
}

TEST_F(ShellTest, RowsThatAreWiderThanTheTerminalAreShownOneColumnALine) {
  Terminal terminal = OnTerminal(40);
  EXPECT_TRUE(terminal.Shows("my-guest> "));
  terminal.Type("SELECT 1 AS long, printf('%.*c', 99, 'x') AS x;\n");
  EXPECT_TRUE(terminal.Shows("long = 1\r\n   x = " + std::string(99, 'x') + "\r\n"))
      << terminal.text();
  terminal.Type("SELECT 1 AS long, 'x' AS x;\n");
  EXPECT_TRUE(terminal.Shows("long  x\r\n   1  x\r\n")) << terminal.text();
}

}  // namespace
}  // namespace ktstr
