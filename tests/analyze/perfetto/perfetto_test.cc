// Traces for Perfetto, read back by protoc and compared with the tables that they are made of.
//
// trace.proto, by which protoc reads them, is the second note of what Perfetto's messages are;
// names in it are those of Perfetto.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "fixtures/sample/temporary_directory.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;

class PerfettoTest : public testing::Test {
 protected:
  PerfettoTest() {
    for (const char* state : {"traced", "stall"}) {
      fs::copy(fs::path(KTSTR_STATE_DIR) / (std::string(state) + ".kts"), Path(state) + ".kts");
    }
  }
  std::string Path(const std::string& name) const { return (directory_ / name).string(); }
  Ran Analyze(const std::string& arguments) const {
    return RunInShell(
        fmt::format("cd {} && {} {}", directory_.path().string(), KTSTR_ANALYZE, arguments));
  }
  // What a trace holds, as protoc prints it.
  std::string Decoded(const std::string& trace) const {
    const Ran ran = RunInShell(fmt::format("protoc -I {0} --decode=Trace {0}/trace.proto <{1}",
                                           KTSTR_PERFETTO_DIR, Path(trace)));
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return ran.out;
  }
  static size_t Count(const std::string& text, const std::string& part) {
    size_t count = 0;
    for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++count;
    return count;
  }

  const TemporaryDirectory directory_;
};

TEST_F(PerfettoTest, HasWhatTheTablesHave) {
  constexpr const char* kTables[][2] = {
      {"trace", "SELECT cpu, log_ns, pid, event, fields FROM trace ORDER BY seq"},
      {"task", "SELECT pid, tgid, comm FROM task WHERE pid != 0 ORDER BY pid"},
      {"log", "SELECT time_ns, text FROM log ORDER BY seq"},
      {"dsq", "SELECT nr FROM dsq WHERE nr IS NOT NULL"},
      {"finding", "SELECT subject || ': ' || detail AS text FROM finding ORDER BY rank"},
      {"waiting",
       "SELECT pid, coalesce(scx_waiting_ms * 1000000, waiting_ns) AS wait_ns FROM task "
       "WHERE on_cpu = 0 AND pid != 0 AND coalesce(scx_waiting_ms * 1000000, waiting_ns) > 0 "
       "ORDER BY pid"}};
  for (const char* state : {"traced", "stall"}) {
    SCOPED_TRACE(state);
    ASSERT_EQ(Analyze(fmt::format("{0}.kts perfetto", state)).out,
              fmt::format("{}.pftrace\n", state));
    for (const auto& [name, sql] : kTables) {
      const Ran ran = Analyze(fmt::format("{}.kts --json sql \"{}\" >{}.json", state, sql, name));
      ASSERT_EQ(ran.exit_code, 0) << ran.err;
    }
    const Ran checked = RunInShell(fmt::format(
        "protoc -I {0} --decode=Trace {0}/trace.proto <{1}.pftrace | python3 {0}/check.py {2}",
        KTSTR_PERFETTO_DIR, Path(state), directory_.path().string()));
    EXPECT_EQ(checked.exit_code, 0) << checked.err;
    EXPECT_THAT(checked.out, HasSubstr(" threads, "));
  }
}

TEST_F(PerfettoTest, OfASeriesHasEachEventOnceAndACounterForEachState) {
  ASSERT_EQ(RunInShell(fmt::format("cp {} {}", Path("traced.kts"), Path("again.kts"))).exit_code,
            0);
  ASSERT_EQ(Analyze("traced.kts perfetto -o one").exit_code, 0);
  ASSERT_EQ(Analyze("traced.kts perfetto again.kts -o two").exit_code, 0);
  const std::string one = Decoded("one"), two = Decoded("two");
  EXPECT_GT(Count(one, "sched_switch {"), 100u);
  for (const char* once : {"sched_switch {", "sched_waking {", "print {", "name: \"kernel log\""}) {
    EXPECT_EQ(Count(two, once), Count(one, once)) << once;
  }
  for (const char* twice : {"TYPE_COUNTER", "process_tree {"}) {
    EXPECT_EQ(Count(two, twice), 2 * Count(one, twice)) << twice;
  }
  EXPECT_EQ(Count(two, "counter {"), Count(one, "counter {"));
}

TEST_F(PerfettoTest, OfMachinesThatHaveNothingInCommonIsRefused) {
  const Ran ran = Analyze("traced.kts perfetto stall.kts -o two");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("traced.kts and stall.kts are not of one boot of one machine"));
  EXPECT_FALSE(fs::exists(Path("two")));
}

TEST_F(PerfettoTest, DoesNotReplaceAnArchive) {
  const Ran ran = Analyze("traced.kts perfetto -o traced.kts");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("is one of the archives"));
}

TEST_F(PerfettoTest, OnStandardOutputIsTheSameAsInAFile) {
  ASSERT_EQ(Analyze("traced.kts perfetto -o file").exit_code, 0);
  ASSERT_EQ(Analyze("traced.kts perfetto -o - >stream").exit_code, 0);
  EXPECT_EQ(RunInShell(fmt::format("cmp {} {}", Path("file"), Path("stream"))).exit_code, 0);
}

}  // namespace
}  // namespace ktstr
