// Schedulers below one another on a real kernel: of the root, that of /a and that of /a/b one errs,
// and the verdict, the tags, the tables and the findings name that one.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "guest_kernels.h"
#include "libcore/archive/reader.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Variables that are set in the innermost or the middle scheduler when all three are enabled.
struct Fault {
  std::string middle, inner;
};

// Runs the three with work for each, until the fault ends it; without one they are frozen at work,
// as their loader asks for.
class SubSchedulerGuestTest : public testing::Test {
 protected:
  // What ktstr-run said.
  std::string Run(const Fault& fault, const std::string& more = "") {
    const fs::path scenario = Write(directory_ / "tree.toml",
                                    fmt::format(R"(
[run]
duration = "60s"
[machine]
cpus = 2
[scheduler]
loader = ["{}",
  '{{"object": "/tree.bpf.o"}}',
  '''{{"object": "/tree.bpf.o", "variables": {{"tree_ops.sub_cgroup_id": {{"cgroup": "/a"}}}}
     {}}}''',
  '''{{"object": "/tree.bpf.o", "variables": {{"tree_ops.sub_cgroup_id": {{"cgroup": "/a/b"}},
     "tree_ops.timeout_ms": 2000}} {}}}''']
files = {{ "/tree.bpf.o" = "{}/tree.bpf.o" }}
[[cgroup]]
path = "/a"
files = {{ "cpu.weight" = 100 }}
[[cgroup]]
path = "/a/own"
files = {{ "cpu.weight" = 100 }}
[[cgroup]]
path = "/a/b"
files = {{ "cpu.weight" = 100 }}
[[worker]]
kind = "spin"
name = "root"
[[worker]]
kind = "sleep"
name = "middle"
cgroup = "/a/own"
[[worker]]
kind = "spin"
name = "inner"
cgroup = "/a/b"
count = 3
{}
)",
                                                KTSTR_SUB_SCHEDULER_LOADER, FaultOf(fault.middle),
                                                FaultOf(fault.inner), KTSTR_SCHEDULER_DIR, more));
    run_.emplace(directory_,
                 std::vector<std::string>{scenario.string(), "--kernel", StockKernel("newest-7")});
    EXPECT_EQ(run_->Wait(), 1) << run_->said();
    return run_->said() + Read(run_->out() / "tree.log");
  }
  std::vector<std::string> Ask(const std::string& sql) {
    return Rows(run_->out() / "tree.kts", sql);
  }
  static std::string FaultOf(const std::string& variables) {
    return variables.empty() ? "" : fmt::format(", \"fault\": {}", variables);
  }

  TemporaryDirectory directory_;
  std::optional<RunProgram> run_;
};

constexpr char kExits[] = "SELECT cgroup, exit_kind FROM scx ORDER BY scheduler";
constexpr char kEnded[] =
    "SELECT severity, subject FROM finding WHERE rule = 'scheduler_ended' ORDER BY severity";

TEST_F(SubSchedulerGuestTest, TheInnermostThatErrsIsNamed) {
  const std::string said = Run({.inner = R"({"error": 1})"});
  EXPECT_THAT(said, HasSubstr("scheduler-exit: the scheduler ktstr_tree of cgroup /a/b ends: "
                              "scx_bpf_error: an error was asked for"));
  ASSERT_THAT(run_->Files(".kts"), ElementsAre("tree.kts")) << said;
  EXPECT_THAT(Ask("SELECT key, value FROM tag WHERE key LIKE 'trigger.%'"),
              AllOf(Contains("trigger.cgroup /a/b"), Contains("trigger.ops_name ktstr_tree"),
                    Contains("trigger.exit_kind error_bpf")));
  EXPECT_THAT(Ask(kExits), ElementsAre("/ none", "/a none", "/a/b error_bpf"));
  EXPECT_THAT(Ask(kEnded), ElementsAre("error scheduler ktstr_tree of cgroup /a/b"));
  EXPECT_THAT(Ask("SELECT exit_message FROM scx WHERE scheduler = 2"),
              ElementsAre("an error was asked for"));
  EXPECT_THAT(Ask("SELECT DISTINCT comm, cgroup, scx_scheduler FROM task WHERE comm IN "
                  "('root-0', 'middle-0', 'inner-0') ORDER BY scx_scheduler"),
              ElementsAre("root-0 / 0", "middle-0 /a/own 1", "inner-0 /a/b 2"));
  EXPECT_THAT(Ask("SELECT * FROM anomaly"), IsEmpty());
}

TEST_F(SubSchedulerGuestTest, EachHasItsQueuesCallbacksEventsAndCpus) {
  const std::string said = Run({}, "[[trigger]]\non = \"request\"\nfails = true\n");
  EXPECT_THAT(said, HasSubstr("request: a program in the guest asks: all schedulers are enabled"));
  ASSERT_THAT(run_->Files(".kts"), ElementsAre("tree.kts")) << said;
  EXPECT_THAT(Ask("SELECT * FROM anomaly"), IsEmpty());
  EXPECT_THAT(Ask("SELECT scheduler, level, coalesce(parent, '-'), cgroup, form, ops_name, "
                  "enable_state, watchdog_timeout_ms, exit_kind FROM scx"),
              ElementsAre("0 0 - / cid ktstr_tree enabled 5000 none",
                          "1 1 0 /a cid ktstr_tree enabled 5000 none",
                          "2 2 1 /a/b cid ktstr_tree enabled 2000 none"));
  EXPECT_THAT(Ask("SELECT scheduler, dsq_id FROM dsq WHERE kind = 'user' ORDER BY scheduler"),
              ElementsAre("0 0x0000000000000000", "1 0x0000000000000000", "2 0x0000000000000000"));
  EXPECT_THAT(Ask("SELECT kind, count(*) FROM dsq WHERE kind IN ('reject', 'rescue') GROUP BY 1"),
              ElementsAre("reject 2", "rescue 2"));
  EXPECT_THAT(Ask("SELECT op, count(*), count(prog_id) FROM scx_op WHERE \"set\" = 1 GROUP BY 1"),
              UnorderedElementsAre("dispatch 3 3", "enqueue 3 3", "exit 3 3", "init 3 3",
                                   "sub_attach 3 3", "sub_detach 3 3"));
  EXPECT_THAT(Ask("SELECT count(*) FROM scx_op WHERE op = 'select_cid'"), ElementsAre("3"));
  EXPECT_THAT(Ask("SELECT count(*) FROM scx_op WHERE op = 'select_cpu'"), ElementsAre("0"));
  EXPECT_THAT(Ask("SELECT count(DISTINCT event) > 10, count(DISTINCT scheduler) FROM scx_event"),
              ElementsAre("1 3"));
  EXPECT_THAT(
      Ask("SELECT scheduler, coalesce(caps, 'all'), count(*) FROM scx_cpu GROUP BY 1, 2"),
      ElementsAre("0 all 2", "1 enq_immed|enq|preempt|perf 2", "2 enq_immed|enq|preempt|perf 2"));
}

TEST_F(SubSchedulerGuestTest, OneThatErrsIsNamedAndNotThoseThatEndWithIt) {
  const std::string said = Run({.middle = R"({"error": 1})"});
  EXPECT_THAT(said, HasSubstr("scheduler-exit: the scheduler ktstr_tree of cgroup /a ends: "
                              "scx_bpf_error: an error was asked for"));
  ASSERT_THAT(run_->Files(".kts"), ElementsAre("tree.kts")) << said;
  EXPECT_THAT(Ask("SELECT value FROM tag WHERE key = 'trigger.cgroup'"), ElementsAre("/a"));
  EXPECT_THAT(Ask("SELECT cgroup FROM scx WHERE exit_kind = 'error_bpf'"), ElementsAre("/a"));
  EXPECT_THAT(Ask(kEnded), Contains("error scheduler ktstr_tree of cgroup /a"));
  EXPECT_THAT(Ask("SELECT subject FROM finding WHERE severity = 'error'"),
              ElementsAre("scheduler ktstr_tree of cgroup /a"));
}

// The inner one's tasks may wait for 2 s, those of the others for 5 s.
TEST_F(SubSchedulerGuestTest, TheWatchdogIsThatOfTheSchedulerWhoseTasksWait) {
  const std::string said =
      Run({.inner = R"({"stall": 1})"}, "[[trigger]]\non = \"watchdog\"\npart = 0.6\n");
  EXPECT_THAT(said, AllOf(HasSubstr("watchdog: inner-"),
                          HasSubstr(" of the 2.000 s that sched_ext's watchdog gives it by the "
                                    "scheduler ktstr_tree of cgroup /a/b")));
  ASSERT_THAT(run_->Files(".kts"), ElementsAre("tree.kts")) << said;
  EXPECT_THAT(Ask("SELECT value FROM tag WHERE key = 'trigger.cgroup'"), ElementsAre("/a/b"));
  EXPECT_THAT(Ask("SELECT s.cgroup, t.comm LIKE 'inner-%' FROM scx s JOIN task t ON t.pid = "
                  "s.oldest_runnable_pid WHERE watchdog_margin_ms < 1000"),
              ElementsAre("/a/b 1"));
  EXPECT_THAT(Ask("SELECT subject FROM finding WHERE rule IN ('watchdog_near', 'dsq_piled_up') "
                  "ORDER BY rule"),
              ElementsAre("DSQ 0x0 of scheduler ktstr_tree of cgroup /a/b",
                          "scheduler ktstr_tree of cgroup /a/b"));
}

// A payload with loads_scheduler is waited for until there is one scheduler more.
TEST_F(SubSchedulerGuestTest, APayloadThatLoadsASubSchedulerIsWaitedFor) {
  const fs::path scenario = Write(directory_ / "payload.toml",
                                  fmt::format(R"(
[scheduler]
loader = ["{0}", '{{"object": "/tree.bpf.o"}}']
files = {{ "/tree.bpf.o" = "{1}/tree.bpf.o" }}
[[cgroup]]
path = "/a"
files = {{ "cpu.weight" = 100 }}
[[payload]]
name = "below"
program = "{0}"
arguments = ['{{"object": "/tree.bpf.o", "variables": {{"tree_ops.sub_cgroup_id": {{"cgroup": "/a"}}}}}}']
loads_scheduler = true
[[phase]]
name = "load"
duration = "100ms"
start = ["below"]
[[expect]]
message = "both schedulers are there"
sql = "SELECT 1 FROM scx GROUP BY 1 HAVING group_concat(cgroup) = '/,/a'"
rows = "some"
)",
                                              KTSTR_SUB_SCHEDULER_LOADER, KTSTR_SCHEDULER_DIR));
  RunProgram run(directory_, {scenario.string(), "--kernel", StockKernel("newest-7")});
  EXPECT_EQ(run.Wait(), 0) << run.said() << Read(run.out() / "payload.log");
}

}  // namespace
}  // namespace ktstr
