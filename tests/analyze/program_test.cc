// ktstr-analyze as a user runs it: output, errors, exit codes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "program_fixture.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

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

}  // namespace
}  // namespace ktstr
