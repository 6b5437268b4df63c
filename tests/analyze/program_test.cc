// ktstr-analyze as a user runs it: output, errors, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "archives.h"
#include "terminal.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Ran {
  int exit_code;
  std::string out;  // standard output and standard error together
};

// Runs the program through a shell, so that arguments are written as a user writes them.
Ran Ask(const std::string& arguments) {
  const std::string command = std::string(KTSTR_ANALYZE) + " " + arguments + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  Ran ran{-1, ""};
  std::array<char, 4096> buffer;
  for (size_t n; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    ran.out.append(buffer.data(), n);
  const int status = pclose(pipe);
  if (WIFEXITED(status)) ran.exit_code = WEXITSTATUS(status);
  return ran;
}

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() {
    setenv("XDG_CACHE_HOME", (directory_ / "cache").c_str(), 1);
    archive_ = (directory_ / "a.kts").string();
    WriteGuest(MakeGuest(), archive_);
  }

  // Of a member of task_struct, in bytes.
  uint64_t OffsetOf(const std::string& path) {
    const std::string sql = " sql \"SELECT offset_of('task_struct', '" + path + "') AS o\" --json";
    return nlohmann::json::parse(Ask(archive_ + sql).out)[0]["o"];
  }

  TemporaryDirectory directory_;
  std::string archive_;
};

TEST_F(ProgramTest, TheSummaryIsOneScreen) {
  const Ran ran = Ask(archive_);
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, HasSubstr("Linux 6.12.0-synthetic"));
  EXPECT_THAT(ran.out, HasSubstr("by vmcoreinfo, lstar, idt, cr3"));
  EXPECT_THAT(ran.out, HasSubstr("4 threads of 2 processes"));
  EXPECT_THAT(ran.out, HasSubstr("Everything asked for could be read."));
  EXPECT_LE(std::count(ran.out.begin(), ran.out.end(), '\n'), 40);
}

TEST_F(ProgramTest, TextOfTheGuestCannotDriveTheTerminal) {
  for (const char* command :
       {"", " log", " log --json", " tasks", " stack --all", " stack --all --json",
        " sql \"SELECT field('task_struct', task_kva, 'comm'), struct_json('task_struct', "
        "task_kva), "
        "text FROM task, log\"",
        " sql \"SELECT read_u8(text) FROM log WHERE text LIKE '%colour%'\"",
        " sql \"SELECT x'1b5b'\""}) {
    const Ran ran = Ask(archive_ + command);
    EXPECT_THAT(ran.out, Not(HasSubstr("\x1b"))) << command;
  }
  EXPECT_THAT(Ask(archive_ + " log").out, HasSubstr("\\x1b[31mcolour"));
}

TEST_F(ProgramTest, EverySubcommandAnswersAsTextAndAsJsonWithAndWithoutAnIndex) {
  for (const std::string command :
       {"tasks", "cpus", "log", "topology", "dsq", "memory", "stack --all", "vcpu",
        "symbol init_task", "read init_task", "schema", "sql 'SELECT * FROM task'"}) {
    const Ran text = Ask(archive_ + " " + command);
    EXPECT_EQ(text.exit_code, 0) << command;
    const Ran json = Ask(archive_ + " " + command + " --json");
    EXPECT_EQ(json.exit_code, 0) << command;
    const auto parsed = nlohmann::json::parse(json.out, nullptr, false);
    // Of one table an array, of several an object of arrays.
    const auto& rows = parsed.is_object() ? *parsed.begin() : parsed;
    ASSERT_TRUE(rows.is_array()) << command << json.out;
    ASSERT_FALSE(rows.empty()) << command;
    EXPECT_TRUE(rows[0].is_object()) << command;
    EXPECT_EQ(Ask(archive_ + " " + command + " --json --no-index").out, json.out) << command;
  }
  EXPECT_TRUE(nlohmann::json::accept(Ask(archive_ + " --json").out));
}

TEST_F(ProgramTest, AnArchiveAndThisMachineAreNotAskedAtOnce) {
  const Ran both = Ask(archive_ + " --live tasks");
  EXPECT_EQ(both.exit_code, 2);
  EXPECT_THAT(both.out, HasSubstr("give one of them"));
  const Ran compared = Ask("--live diff " + archive_);
  EXPECT_EQ(compared.exit_code, 2);
  EXPECT_THAT(compared.out, HasSubstr("ktstr-capture --host"));
}

TEST_F(ProgramTest, WhatIsNotThereIsAnEmptyAnswer) {
  for (const std::string command : {"rq", "scx", "maps", "progs", "cgroups", "findings"}) {
    EXPECT_EQ(Ask(archive_ + " " + command).exit_code, 0) << command;
    EXPECT_TRUE(nlohmann::json::accept(Ask(archive_ + " " + command + " --json").out)) << command;
  }
  EXPECT_THAT(Ask(archive_ + " dsq").out, HasSubstr("\n\ntasks: none\n"));
}

TEST_F(ProgramTest, AStructureIsPrintedByTheKernelsTypes) {
  const std::string task = nlohmann::json::parse(
      Ask(archive_ + " sql \"SELECT task_kva FROM task WHERE pid = 100\" --json")
          .out)[0]["task_kva"];
  EXPECT_EQ(Ask(archive_ + " print task_struct " + task + " comm").out,
            fmt::format("char[16] at {:#018x}, comm\n\"worker\"\n",
                        std::stoull(task, nullptr, 16) + OffsetOf("comm")));
  EXPECT_EQ(Ask(archive_ + " print task_struct " + task + " se.load").out,
            fmt::format("struct load_weight at {:#018x}, se.load\n{{\n  weight = 0\n  inv_weight = "
                        "0\n}}\n",
                        std::stoull(task, nullptr, 16) + OffsetOf("se.load")));
  const auto json =
      nlohmann::json::parse(Ask(archive_ + " print task_struct " + task + " tgid --json").out);
  EXPECT_EQ(json["value"], 100);
  EXPECT_EQ(json["type"], "int");
}

TEST_F(ProgramTest, AStackIsPrintedInnermostFirstAndEndsWithHowItEnds) {
  EXPECT_EQ(Ask(archive_ + " stack 100").out,
            "worker (100), S in schedule, last on CPU 0\n"
            "  ffffffff9e400170  schedule+0x30\n"
            "  ffffffff9e400120  kthread+0x20\n"
            "  ffffffff9e4000c5  ret_from_fork_asm+0x5\n"
            "                    -- end of stack\n");
  EXPECT_EQ(Ask(archive_ + " stack --cpu 1").out,
            "swapper/1 (0), running on CPU 1\n"
            "  ffffffff9e400040  entry_SYSCALL_64+0x0  <syscall>\n"
            "                    -- end of stack\n");
}

TEST_F(ProgramTest, AThreadIsNamedByItsNumberItsNameOrAPattern) {
  const std::string worker = Ask(archive_ + " stack 100").out;
  EXPECT_THAT(Ask(archive_ + " stack worker").out, HasSubstr(worker));
  EXPECT_THAT(Ask(archive_ + " stack 'work*'").out, HasSubstr(worker));
  EXPECT_THAT(Ask(archive_ + " stack 'wor?er' --json").out, HasSubstr("\"pid\":100"));
  const Ran mistyped = Ask(archive_ + " stack wroker");
  EXPECT_EQ(mistyped.exit_code, 2);
  EXPECT_THAT(mistyped.out, HasSubstr("did you mean 'worker'?"));
  EXPECT_THAT(Ask(archive_ + " stack 'x*'").out, HasSubstr("no thread has a name like 'x*'"));
}

TEST_F(ProgramTest, TheRegistersOfACpuAreTheArchives) {
  const Ran text = Ask(archive_ + " vcpu 1");
  EXPECT_THAT(text.out, testing::StartsWith("CPU 1, kernel at entry_SYSCALL_64+0x0\n"
                                            "  rip            ffffffff9e400040  rflags "));
  const auto json = nlohmann::json::parse(Ask(archive_ + " vcpu 1 --json").out);
  EXPECT_EQ(json[0]["cr3"], "0x0000000000100000");
  EXPECT_EQ(json[0]["cs"]["selector"], 0x10);
}

TEST_F(ProgramTest, APerCpuVariableIsPrintedOfOneCpu) {
  EXPECT_THAT(Ask(archive_ + " print rq runqueues --cpu 1 'idle->comm'").out,
              HasSubstr("\"swapper/1\""));
  const Ran ran = Ask(archive_ + " print rq runqueues idle");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.out, HasSubstr("say of which CPU (--cpu N)"));
  EXPECT_THAT(Ask(archive_ + " print task_struct init_task comm --cpu 1").out,
              HasSubstr("is no per-CPU variable (leave out --cpu)"));
  EXPECT_THAT(Ask(archive_ + " print my_context init_task").out, HasSubstr("TYPE@NAME"));
}

TEST_F(ProgramTest, AMistypedNameIsAnsweredWithTheNearest) {
  const std::vector<std::pair<std::string, std::string>> mistyped = {
      {"tsaks", "did you mean 'tasks'"},
      {"print tsk_struct init_task", "did you mean 'task_struct'"},
      {"print task_struct init_tsk", "did you mean 'init_task'"},
      {"print task_struct init_task se.vruntme", "did you mean 'vruntime'"},
      {"symbol init_tsk", "did you mean 'init_task'"},
      {"schema tsak", "did you mean 'task'"},
      {"sql 'SELECT 1 FROM tsak'", "no such table: tsak; did you mean 'task'"},
      {"sql 'SELECT t.vruntme FROM task t'",
       "no such column: t.vruntme (character 8: t.vruntme FROM task t); did you mean 'vruntime'"},
      {"sql 'SELECT fild(1)'", "did you mean 'field'"},
      {"stack 4711", "there is no thread 4711"},
      {"tasks --columns pid,com", "unknown column 'com'; did you mean 'comm'?"},
      {"tasks --sort=-pidd", "unknown column 'pidd'; did you mean 'pid'?"},
      {"tasks --where 'comn = 1'", "no such column: comn"},
      {"dsq --table tsks", "unknown table 'tsks'; did you mean 'tasks'?"},
      {"vcpu 9", "there is no CPU 9"},
      {"read 4711", "write it as 0x"}};
  for (const auto& [command, hint] : mistyped) {
    const Ran ran = Ask(archive_ + " " + command);
    EXPECT_EQ(ran.exit_code, 2) << command;
    EXPECT_THAT(ran.out, HasSubstr(hint)) << command;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
  }
}

TEST_F(ProgramTest, BytesThatCannotBeReadAreToldNotInvented) {
  const Ran text = Ask(archive_ + " read 0x1000 64");
  EXPECT_EQ(text.exit_code, 0);
  EXPECT_THAT(text.out,
              HasSubstr("0000000000001000  64 bytes cannot be read: 0x1000 is not mapped"));
  const auto json = nlohmann::json::parse(Ask(archive_ + " read 0x1000 64 --json").out);
  EXPECT_FALSE(json[0].contains("bytes"));
  EXPECT_THAT(json[0]["error"], HasSubstr("not mapped"));
}

TEST_F(ProgramTest, BytesAreShownWithTheirSymbol) {
  const Ran ran = Ask(archive_ + " read saved_command_line 8");
  EXPECT_THAT(ran.out, testing::StartsWith("<saved_command_line+0x0>\nffffffff"));
}

TEST_F(ProgramTest, WhatTryFunctionsCouldNotReadIsToldOnStandardError) {
  const Ran ran = Ask(archive_ + " sql 'SELECT try_read_u8(0) AS byte'");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.out, testing::StartsWith("byte\n"));
  EXPECT_THAT(ran.out, HasSubstr("not read: 1\n  unmapped: try_read_u8(0): 0x0 is not mapped"));
}

TEST_F(ProgramTest, AnEndlessQueryEndsAtItsTimeoutAndAtCtrlC) {
  const std::string endless =
      " sql 'WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT max(x) FROM r'";
  const Ran ran = Ask(archive_ + endless + " --timeout 0.1");
  EXPECT_EQ(ran.exit_code, 4);
  EXPECT_THAT(ran.out, HasSubstr("longer than 0.1 s"));
  const std::string command = "timeout --signal=INT --preserve-status 0.3 " +
                              std::string(KTSTR_ANALYZE) + " " + archive_ + endless + " 2>&1";
  const int status = std::system(command.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGINT);
}

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

TEST_F(ProgramTest, TheSchemaNeedsNoArchive) {
  const Ran list = Ask("schema");
  EXPECT_EQ(list.exit_code, 0);
  EXPECT_THAT(list.out, HasSubstr("field(type, addr, path)"));
  EXPECT_THAT(Ask("schema task").out,
              testing::StartsWith("task: Every thread, and the idle task of each CPU (pid 0).\n\n"
                                  "column "));
  EXPECT_THAT(Ask("schema try_list").out, testing::StartsWith("list(type, head, member): "));
  EXPECT_EQ(Ask("tasks").exit_code, 2);
  EXPECT_THAT(Ask("tasks").out, HasSubstr("FILE is missing"));
}

TEST_F(ProgramTest, AnExportedDatabaseNeedsNothingOfOurs) {
  const fs::path out = directory_ / "out.db";
  EXPECT_EQ(Ask(archive_ + " export-db " + out.string()).exit_code, 0);
  sqlite3* plain = nullptr;
  ASSERT_EQ(sqlite3_open_v2(out.c_str(), &plain, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  std::string queries = "SELECT text FROM log_text WHERE log_text MATCH 'linux';";
  for (const TableInfo* table : AllTableInfos())
    queries += fmt::format("SELECT * FROM {};", table->name);
  for (const View& view : Views()) queries += fmt::format("SELECT * FROM {};", view.name);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(plain, queries.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  sqlite3_close(plain);
  const Ran again = Ask(archive_ + " export-db " + out.string());
  EXPECT_EQ(again.exit_code, 4);
  EXPECT_THAT(again.out, HasSubstr("overwrite it with --force"));
  EXPECT_EQ(Ask(archive_ + " export-db -f " + out.string()).exit_code, 0);
}

TEST_F(ProgramTest, AReportIsWrittenBesideTheArchiveWhereOneSaysOrToStandardOutput) {
  const fs::path beside = directory_ / "a.html", elsewhere = directory_ / "b.html";
  const Ran ran = Ask(archive_ + " report");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_EQ(ran.out, beside.string() + "\n");
  EXPECT_TRUE(fs::exists(beside));
  EXPECT_EQ(Ask(archive_ + " report -o " + elsewhere.string()).out, elsewhere.string() + "\n");
  const Ran page = Ask(archive_ + " report -o -");
  EXPECT_THAT(page.out, testing::StartsWith("<!DOCTYPE html>"));
  EXPECT_EQ(page.out.size(), fs::file_size(beside));
  EXPECT_EQ(Ask(archive_ + " report -o /no/such/place.html").exit_code, 4);
  const Ran itself = Ask(archive_ + " report -o " + archive_);
  EXPECT_EQ(itself.exit_code, 2);
  EXPECT_THAT(itself.out, HasSubstr("is the archive itself"));
  EXPECT_EQ(Ask(archive_ + " tasks --no-index").exit_code, 0);
}

TEST_F(ProgramTest, ADiffEndsWith1WhereSomethingDiffersAndWith0WhereNothingDoes) {
  const std::string other = (directory_ / "b.kts").string();
  WriteGuest(MakeGuest(4), other);
  const Ran same = Ask(archive_ + " diff " + archive_);
  EXPECT_EQ(same.exit_code, 0) << same.out;
  const Ran differs = Ask(archive_ + " diff " + other + " --only tasks,queues");
  EXPECT_EQ(differs.exit_code, 1);
  EXPECT_THAT(differs.out, HasSubstr("task worker (103)"));
  EXPECT_THAT(differs.out, Not(HasSubstr("Memory")));
  // Both behind the word, in the same order.
  EXPECT_EQ(Ask("diff " + archive_ + " " + other + " --only tasks,queues").out, differs.out);
  const auto json =
      nlohmann::json::parse(Ask(archive_ + " diff " + other + " --only tasks --json").out);
  EXPECT_EQ(json["tasks"][0]["change"], "appeared");
  EXPECT_FALSE(json.contains("queues"));
  EXPECT_EQ(Ask(archive_ + " diff").exit_code, 2);
  EXPECT_EQ(Ask(archive_ + " diff " + archive_ + " " + other).exit_code, 2);
  EXPECT_EQ(Ask(archive_ + " diff " + other + " --only taks").exit_code, 2);
  EXPECT_EQ(Ask(archive_ + " diff /no/such.kts").exit_code, 3);
}

// What bash offers behind these words, the last of which is being typed.
std::string Complete(const std::string& words, int count) {
  const std::string script = fmt::format(
      "source <({0} completion bash); COMP_WORDS=({0} {1}); COMP_CWORD={2}; "
      "_ktstr_analyze; echo \"${{COMPREPLY[@]}}\"",
      KTSTR_ANALYZE, words, count);
  const std::string command = "bash -c '" + script + "' 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 4096> buffer;
  const size_t size = fread(buffer.data(), 1, buffer.size(), pipe);
  pclose(pipe);
  return std::string(buffer.data(), size);
}

TEST_F(ProgramTest, BashCompletesSubcommandsOptionsAndTables) {
  EXPECT_EQ(Complete("a.kts st", 2), "stack\n");
  EXPECT_EQ(Complete("a.kts stack --c", 3), "--cpu\n");
  EXPECT_EQ(Complete("a.kts --acc", 2), "--accept-damage\n");
  EXPECT_EQ(Complete("schema blocked", 2), "blocked_chain\n");
  EXPECT_EQ(Complete(archive_.substr(0, archive_.size() - 2), 1), archive_ + "\n");
  EXPECT_EQ(Complete("a.kts diff " + archive_.substr(0, archive_.size() - 2), 3), archive_ + "\n");
  EXPECT_EQ(Ask("completion tcsh").exit_code, 2);
}

TEST_F(ProgramTest, HelpAndVersionAreNoErrors) {
  for (const char* arguments : {"--help", "--version", "sql --help", "tasks --help"}) {
    EXPECT_EQ(Ask(arguments).exit_code, 0) << arguments;
  }
}

TEST_F(ProgramTest, HelpOfACommandIsWhatItsOptionSays) {
  EXPECT_EQ(Ask("help").out, Ask("--help").out);
  EXPECT_EQ(Ask("help tasks").out, Ask("tasks --help").out);
  EXPECT_EQ(Ask("help corpus check").out, Ask("corpus check --help").out);
  const Ran mistyped = Ask("help taks");
  EXPECT_EQ(mistyped.exit_code, 2);
  EXPECT_THAT(mistyped.out, HasSubstr("unknown subcommand 'taks'; did you mean 'tasks'?"));
}

TEST_F(ProgramTest, AMistypedOptionIsAnsweredWithTheNearest) {
  EXPECT_THAT(Ask(archive_ + " tasks --jsno").out,
              HasSubstr("unknown option '--jsno'; did you mean '--json'?"));
  EXPECT_THAT(Ask(archive_ + " tasks --wher=pid").out,
              HasSubstr("unknown option '--wher'; did you mean '--where'?"));
}

TEST_F(ProgramTest, WrongUsageAndWrongSqlAreExitCode2) {
  for (const std::string& arguments :
       {std::string(), archive_ + " no-such-command", archive_ + " --bad-option", archive_ + " sql",
        archive_ + " sql 'SELECT x'", archive_ + " sql 'DELETE FROM task'"}) {
    EXPECT_EQ(Ask(arguments).exit_code, 2) << arguments;
  }
}

TEST_F(ProgramTest, WhatIsNoArchiveIsExitCode3AndOneLineThatSaysWhich) {
  const fs::path empty = directory_ / "empty.kts", text = directory_ / "text.kts",
                 cut = directory_ / "cut.kts";
  std::ofstream(empty).flush();
  std::ofstream(text) << "This is a text file, not an archive.\n";
  fs::copy_file(archive_, cut);
  fs::resize_file(cut, fs::file_size(cut) / 2);
  for (const fs::path& path : {empty, text, cut, directory_ / "missing.kts", directory_.path()}) {
    const Ran ran = Ask(path.string());
    EXPECT_EQ(ran.exit_code, 3) << ran.out;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
    EXPECT_THAT(ran.out, HasSubstr(path.string()));
  }
}

TEST_F(ProgramTest, ADamagedArchiveIsExitCode3OrGivesTheRightAnswer) {
  const std::string right = Ask(archive_ + " tasks --no-index --json").out;
  std::string bytes;
  {
    std::ifstream file(archive_, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  const fs::path damaged = directory_ / "damaged.kts";
  // Some dozen places all over the file: every part of it is among them.
  for (size_t at = 0; at < bytes.size(); at += bytes.size() / 37) {
    std::string copy = bytes;
    copy[at] = static_cast<char>(copy[at] ^ 0x10);
    std::ofstream(damaged, std::ios::binary) << copy;
    const Ran ran = Ask(damaged.string() + " tasks --no-index --json");
    if (ran.exit_code == 0) {
      EXPECT_THAT(ran.out, testing::StartsWith(right)) << "byte " << at;
      continue;
    }
    EXPECT_EQ(ran.exit_code, 3) << "byte " << at << " of " << bytes.size() << ": " << ran.out;
    EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 1) << ran.out;
  }
  EXPECT_THAT(right, HasSubstr("worker"));
}

}  // namespace
}  // namespace ktstr
