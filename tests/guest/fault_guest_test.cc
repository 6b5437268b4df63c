// Each faulty scheduler and each way in which a kernel fails: ktstr-run leaves an archive that
// shows the cause.
#include <gmock/gmock.h>

#include "guest_kernels.h"
#include "libcore/archive/reader.h"
#include "run_program.h"

namespace ktstr {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::SizeIs;

struct Question {
  const char* sql;
  const char* first_row;  // a regular expression of POSIX
};

struct Fault {
  const char* scenario;
  const char* trigger;
  const char* detail;   // a part of it
  const char* verdict;  // a regular expression of POSIX
  std::vector<Question> questions;
  const char* kernel = "";  // one of Debian's; "" is the scenario's own
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.scenario << fault.kernel; }

class FaultGuestTest : public testing::TestWithParam<Fault> {};

TEST_P(FaultGuestTest, LeavesAnArchiveThatShowsTheCause) {
  const Fault& fault = GetParam();
  const synthetic::TemporaryDirectory directory;
  std::vector<std::string> arguments = {FixtureScenario(fault.scenario).string()};
  if (const std::string kernel = fault.kernel; !kernel.empty()) {
    arguments.insert(arguments.end(), {"--kernel", StockKernel(kernel)});
  }
  RunProgram run(directory, arguments);
  EXPECT_EQ(run.Wait(), 1) << run.said();
  EXPECT_THAT(run.said(), HasSubstr(fault.detail));
  ASSERT_THAT(run.Files(".kts"), SizeIs(1)) << run.said();
  const auto archive = run.out() / (std::string(fault.scenario) + ".kts");

  const auto reader = ArchiveReader::Open(archive);
  ASSERT_TRUE(reader) << reader.error().ToString();
  const ArchiveMetadata& metadata = (*reader)->metadata();
  EXPECT_EQ(metadata.trigger, fault.trigger);
  EXPECT_THAT(metadata.trigger_detail, HasSubstr(fault.detail));
  EXPECT_EQ(metadata.tags.at("scenario"), fault.scenario);
  EXPECT_EQ(metadata.tags.at("phase"), "fault");
  EXPECT_GT(std::stoll(metadata.tags.at("guest_time_ns")), 0);
  const auto verdict = Rows(archive, "SELECT sentence FROM verdict");
  ASSERT_THAT(verdict, SizeIs(1));
  EXPECT_THAT(verdict.front(), MatchesRegex(fault.verdict));
  // It is what ktstr-run says, too.
  EXPECT_THAT(run.said(), HasSubstr(verdict.front()));
  for (const Question& question : fault.questions) {
    const auto rows = Rows(archive, question.sql);
    ASSERT_FALSE(rows.empty()) << question.sql;
    EXPECT_THAT(rows.front(), MatchesRegex(question.first_row)) << question.sql;
  }
}

constexpr char kExit[] = "SELECT exit_kind, exit_reason, exit_message FROM scx";
constexpr char kFinding[] = "SELECT rule FROM finding ORDER BY severity <> 'error', rule";

INSTANTIATE_TEST_SUITE_P(
    All, FaultGuestTest,
    testing::Values(
        Fault{"stall",
              "stall",
              "without running; the limit is 1.000 s",
              "The scheduler ktstr_vtime has dispatched nothing for .* tasks in DSQ .*; its "
              "variable stall = 1",
              {{"SELECT count(*) >= 3 FROM dsq_task JOIN dsq USING (dsq_id) WHERE kind = 'user'",
                "1"},
               {"SELECT enable_state FROM scx", "enabled"},
               {"SELECT value FROM tag WHERE key = 'trigger.comm'", "(spin|sleep|kworker|rcu).*"},
               {"SELECT count(*) FROM finding WHERE rule = 'dsq_piled_up'", "[1-9]"}}},
        Fault{"lost-task",
              "stall",
              "victim-0",
              "The scheduler ktstr_vtime took victim-0 .* in enqueue .* never dispatched it, "
              "although it may use CPUs 0-1",
              {{"SELECT comm FROM task WHERE class = 'ext' AND on_rq = 1 AND on_cpu = 0 AND "
                "scx_waiting_ms > 900 AND pid NOT IN (SELECT pid FROM dsq_task)",
                "victim-0"},
               {"SELECT subject FROM finding WHERE rule = 'lost_task'", "victim-0 .*"}}},
        Fault{"wrong-cpu",
              "scheduler-exit",
              "target CPU 0 not allowed for pinned-0",
              "The scheduler ktstr_vtime dispatched pinned-0 .[0-9]+. to CPU 0; it may use only "
              "CPU 1; the kernel ended it.*",
              {{kExit, "error runtime error SCX_DSQ_LOCAL.* not allowed for pinned-0.*"},
               {"SELECT exit_backtrace FROM scx", ".*task_can_run_on_remote_rq.*|.*dispatch.*"},
               {"SELECT affinity FROM task WHERE comm = 'pinned-0'", "1"}}},
        Fault{"scx-error",
              "scheduler-exit",
              "an error was asked for",
              "The scheduler ktstr_vtime ended itself with an error in vtime_[a-z_]+.*: an error "
              "was asked for",
              {{kExit, "error_bpf scx_bpf_error an error was asked for"},
               {"SELECT exit_backtrace FROM scx", ".*scx_bpf_error_bstr.*"},
               // Nothing has been switched back yet.
               {"SELECT count(*) >= 4 FROM task WHERE class = 'ext' AND comm LIKE 'spin-%'", "1"},
               {kFinding, "scheduler_ended"}}},
        Fault{
            "starve-cgroup",
            "stall",
            "starved-",
            "Every runnable task of /starved waits in DSQ 0x3e8, .* fed-.* nothing consumes DSQ "
            "0x3e8",
            {{"SELECT count(*) >= 1 FROM dsq_task JOIN task USING (pid) WHERE cgroup = '/starved'",
              "1"},
             {"SELECT count(*) FROM finding WHERE rule = 'dsq_piled_up'", "[1-9]"}}},
        Fault{"self-exit",
              "scheduler-exit",
              "enough for today",
              "The scheduler ktstr_vtime ended itself: enough for today, exit code 42",
              {{kExit, "unreg_bpf unregistered from BPF enough for today"},
               {"SELECT exit_code FROM scx", "0x000000000000002a"}}},
        Fault{"panic",
              "panic",
              "Kernel panic - not syncing: sysrq triggered crash",
              "The kernel panicked in ktstr-write .*: sysrq triggered crash, .*called by "
              "sysrq_handle_crash.*",
              {{"SELECT count(*) FROM log WHERE text LIKE 'Kernel panic - not syncing%'", "1"},
               // The one that panicked is in the middle of it.
               {"SELECT count(*) FROM stack_frame f JOIN task t ON t.pid = f.pid WHERE t.comm = "
                "'ktstr-write' AND f.symbol IN ('panic', 'vpanic')",
                "[1-9]"}}},
        Fault{"oops",
              "oops",
              "BUG: kernel NULL pointer dereference",
              "ktstr-write .* wrote to NULL in lkdtm_EXCEPTION.*; called by .*",
              {{"SELECT count(*) >= 1 FROM log WHERE text LIKE '%RIP: 0010:lkdtm_EXCEPTION%'", "1"},
               {"SELECT count(*) FROM stack_frame f JOIN task t ON t.pid = f.pid WHERE t.comm = "
                "'ktstr-write' AND f.symbol = 'lkdtm_EXCEPTION'",
                "[1-9]"}}},
        Fault{"soft-lockup",
              "soft-lockup",
              "BUG: soft lockup - CPU#",
              "CPU [01] has been in lkdtm_SOFTLOCKUP for .* with preemption off: ktstr-write .*",
              {{"SELECT count(*) FROM stack_frame f JOIN task t ON t.pid = f.pid WHERE t.comm = "
                "'ktstr-write' AND t.on_cpu = 1 AND f.symbol = 'lkdtm_SOFTLOCKUP'",
                "[1-9]"}}},
        Fault{
            "rt-hog",
            "worker-gap",
            "victim-0 did nothing for",
            "hog-0 .[0-9]+, FIFO 50. has had CPU 1 for .*; .* pinned there: not the scheduler.s "
            "fault.*",
            {{"SELECT curr_comm FROM cpu WHERE cpu = 1", "hog-0"},
             {"SELECT class, policy FROM task WHERE comm = 'hog-0'", "rt.*"},
             // The kernel's server for the fair class may have had its 50 ms in a second just now.
             {"SELECT sum_exec_runtime_ns > 500000000 FROM task WHERE comm = 'hog-0'", "1"}}},
        // Kernels of today, which keep a scheduler's state in an object of its own.
        Fault{"lost-task",
              "stall",
              "victim-0",
              "The scheduler ktstr_vtime took victim-0 .* in enqueue .* never dispatched it, "
              "although it may use CPUs 0-1",
              {{"SELECT subject FROM finding WHERE rule = 'lost_task'", "victim-0 .*"},
               {"SELECT count(*) FROM anomaly", "0"}},
              "newest-7"},
        Fault{"scx-error",
              "scheduler-exit",
              "an error was asked for",
              "The scheduler ktstr_vtime ended itself with an error in vtime_[a-z_]+.*: an error "
              "was asked for",
              {{kExit, "error_bpf scx_bpf_error an error was asked for"},
               {"SELECT exit_backtrace FROM scx", ".*scx_bpf_error_bstr.*"},
               {kFinding, "scheduler_ended"},
               {"SELECT count(*) FROM anomaly", "0"}},
              "newest-7"},
        Fault{"eevdf-rt-hog",
              "worker-gap",
              "victim-0 did nothing for",
              "hog-0 .[0-9]+, FIFO .* has had CPU 1 for .* pinned there",
              {{"SELECT class FROM task WHERE comm = 'victim-0'", "fair"}}}),
    [](const testing::TestParamInfo<Fault>& info) {
      std::string name = std::string(info.param.scenario) + info.param.kernel;
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace ktstr
