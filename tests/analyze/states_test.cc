// Real frozen machines (fixtures/states): what each one died of is found in it, by the findings and
// by the queries that a person would ask.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "analyze/index/index.h"
#include "analyze/text/findings_text.h"
#include "analyze/text/output.h"
#include "libcore/base/safe_text.h"

namespace ktstr {
namespace {

using testing::ElementsAreArray;

struct State {
  const char* name;
  const char* sql;
  std::vector<const char*> rows;  // values joined by " | "
};

void PrintTo(const State& state, std::ostream* out) { *out << state.name << ": " << state.sql; }

class StatesTest : public testing::TestWithParam<State> {};

TEST_P(StatesTest, ShowsItsCause) {
  const State& state = GetParam();
  const auto archive = std::filesystem::path(KTSTR_STATE_DIR) / (std::string(state.name) + ".kts");
  const auto index = OpenIndex(archive, {.use_file = false});
  ASSERT_TRUE(index) << index.error().ToString();
  const auto result = index->Query(state.sql, {});
  ASSERT_TRUE(result) << result.error().ToString();
  std::vector<std::string> rows;
  for (const auto& row : result->rows) {
    std::string& text = rows.emplace_back();
    for (const auto& value : row) text += (text.empty() ? "" : " | ") + ToDisplay(value);
  }
  EXPECT_THAT(rows, ElementsAreArray(state.rows));
}

// As a terminal of 80 columns shows them: nothing is cut, and no line is longer.
TEST(StateFindingsTest, FitATerminal) {
  const std::filesystem::path expected = KTSTR_TERMINAL_DIR;
  int states = 0;
  for (const auto& entry : std::filesystem::directory_iterator(KTSTR_STATE_DIR)) {
    if (entry.path().extension() != ".kts") continue;
    ++states;
    const auto index = OpenIndex(entry.path(), {.use_file = false});
    ASSERT_TRUE(index) << index.error().ToString();
    const auto text = FindingsText(*index, 80, FindingsShown::kAll);
    ASSERT_TRUE(text) << text.error().ToString();
    for (size_t at = 0; at < text->size();) {
      const size_t end = text->find('\n', at);
      EXPECT_LE(DisplayWidth(text->substr(at, end - at)), 80u) << text->substr(at, end - at);
      at = end + 1;
    }
    const auto file = expected / (entry.path().stem().string() + ".txt");
    if (std::getenv("KTSTR_WRITE_EXPECTED") != nullptr) std::ofstream(file) << *text;
    std::ifstream in(file);
    EXPECT_EQ(*text, std::string(std::istreambuf_iterator<char>(in), {})) << file;
  }
  EXPECT_GE(states, 10);
}

constexpr char kTrigger[] =
    "SELECT value FROM machine WHERE key IN ('trigger', 'kept') ORDER BY key";
constexpr char kFindings[] =
    "SELECT severity, rule, subject FROM finding ORDER BY severity, rule, subject";
constexpr char kExit[] = "SELECT exit_kind, exit_reason, exit_message FROM scx";
constexpr char kVerdict[] =
    "SELECT sentence || ' (' || certainty || ')', coalesce(explains, '') FROM verdict";
constexpr char kAnomalies[] = "SELECT * FROM anomaly";

INSTANTIATE_TEST_SUITE_P(
    All, StatesTest,
    testing::Values(
        State{"lost-task",
              kVerdict,
              {"The scheduler ktstr_vtime took victim-0 (47) in enqueue 1.067 s ago and never "
               "dispatched it, although it may use CPUs 0-1 (certain) | 1 long wait"}},
        State{"oops",
              kVerdict,
              {"ktstr-write (49) on CPU 0 wrote to NULL in lkdtm_EXCEPTION+0x4, 3.171 s after "
               "boot; called by lkdtm_do_action, direct_entry, full_proxy_write, vfs_write "
               "(certain) | 1 report in the log"}},
        State{"panic",
              kVerdict,
              {"The kernel panicked in ktstr-write (48) on CPU 0: sysrq triggered crash, 2.872 s "
               "after boot; called by sysrq_handle_crash, __handle_sysrq, write_sysrq_trigger, "
               "proc_reg_write (certain) | 1 report in the log"}},
        State{"rt-hog",
              kVerdict,
              {"hog-0 (47, FIFO 50) has had CPU 1 for 1.068 s; victim-0 (44) and 1 more are pinned "
               "there: not the scheduler's fault, its class comes before sched_ext's (certain) | 1 "
               "long queue, 1 long wait"}},
        State{"scx-error",
              kVerdict,
              {"The scheduler ktstr_vtime ended itself with an error in vtime_dispatch+0x11c: an "
               "error was asked for (certain) | "}},
        State{"self-exit",
              kVerdict,
              {"The scheduler ktstr_vtime ended itself: enough for today, exit code 42 (certain) "
               "| "}},
        State{"soft-lockup",
              kVerdict,
              {"CPU 1 has been in lkdtm_SOFTLOCKUP for 3.450 s with preemption off: ktstr-write "
               "(49); migration/1 (23) waits for it (certain) | 1 report in the log, 1 watchdog "
               "that is near, 1 long queue, 2 long waits"}},
        State{"stall",
              kVerdict,
              {"The scheduler ktstr_vtime has dispatched nothing for 1.064 s: 8 tasks in DSQ 0x0, "
               "CPU 1 idles, CPU 0 only keeps spin-0 (44); the watchdog strikes in 3.905 s; its "
               "variable stall = 1 (certain) | 1 idle CPU, 1 long queue, 5 long waits, 1 task that "
               "may not use the idle CPUs"}},
        State{"starve-cgroup",
              kVerdict,
              {"Every runnable task of /starved waits in DSQ 0x3e8, the first for 1.016 s, while "
               "fed-0 (44) of /fed runs: nothing consumes DSQ 0x3e8 (likely) | 1 long queue, 2 "
               "long waits"}},
        State{"wrong-cpu",
              kVerdict,
              {"The scheduler ktstr_vtime dispatched pinned-0 (44) to CPU 0; it may use only CPU "
               "1; the kernel ended it, in process_ddsp_deferred_locals (a direct dispatch, by its "
               "select_cpu or enqueue) (certain) | "}},
        State{"stall", kTrigger, {"kernel", "stall"}}, State{"stall", kAnomalies, {}},
        State{"lost-task", kAnomalies, {}},
        State{"wrong-cpu",
              kExit,
              {"error | runtime error | SCX_DSQ_LOCAL[_ON] target CPU 0 not allowed for "
               "pinned-0[44]"}},
        State{"scx-error", kExit, {"error_bpf | scx_bpf_error | an error was asked for"}},
        State{"self-exit", kExit, {"unreg_bpf | unregistered from BPF | enough for today"}},
        State{"stall",
              kFindings,
              {"error | scheduler_stalled | scheduler ktstr_vtime",
               "info | not_allowed_on_idle_cpus | kworker/0:1 (11)",
               "warning | dsq_piled_up | DSQ 0x0", "warning | idle_beside_work | CPU 1",
               "warning | long_wait | sleep-0 (48)", "warning | long_wait | sleep-1 (49)",
               "warning | long_wait | spin-1 (45)", "warning | long_wait | spin-2 (46)",
               "warning | long_wait | spin-3 (47)"}},
        State{"lost-task",
              kFindings,
              {"error | lost_task | victim-0 (47)", "warning | long_wait | victim-0 (47)"}},
        State{"wrong-cpu", kFindings, {"error | scheduler_ended | scheduler ktstr_vtime"}},
        State{"scx-error", kFindings, {"error | scheduler_ended | scheduler ktstr_vtime"}},
        State{"self-exit", kFindings, {"warning | scheduler_ended | scheduler ktstr_vtime"}},
        // One of each version of the format before the one that is written now.
        State{"old/1.0", kExit, {"unreg_bpf | unregistered from BPF | enough for today"}},
        State{"old/1.0", kFindings, {"warning | scheduler_ended | scheduler ktstr_vtime"}},
        State{"old/1.0", kAnomalies, {}},
        State{"starve-cgroup",
              kFindings,
              {"error | dsq_unconsumed | DSQ 0x3e8", "warning | dsq_piled_up | DSQ 0x3e8",
               "warning | long_wait | starved-0 (46)", "warning | long_wait | starved-1 (47)"}},
        State{"panic",
              kFindings,
              {"error | kernel_crashed | ktstr-write (48) on CPU 0",
               "error | kernel_in_trouble | kernel log"}},
        State{"oops",
              kFindings,
              {"error | kernel_crashed | ktstr-write (49) on CPU 0",
               "error | kernel_in_trouble | kernel log"}},
        State{"soft-lockup",
              kFindings,
              {"error | cpu_stuck | CPU 1", "error | kernel_in_trouble | kernel log",
               "warning | dsq_piled_up | DSQ 0x0", "warning | long_wait | kworker/1:1 (38)",
               "warning | long_wait | migration/1 (23)",
               "warning | watchdog_near | scheduler ktstr_vtime"}},
        State{"rt-hog",
              kFindings,
              {"warning | cpu_hog | CPU 1", "warning | dsq_piled_up | DSQ 0x0",
               "warning | long_wait | victim-0 (44)"}}),
    [](const testing::TestParamInfo<State>& info) {
      std::string name = info.param.name + std::string(info.param.sql == kFindings    ? "Findings"
                                                       : info.param.sql == kExit      ? "Exit"
                                                       : info.param.sql == kVerdict   ? "Verdict"
                                                       : info.param.sql == kAnomalies ? "Anomalies"
                                                                                      : "Trigger");
      std::erase_if(name, [](unsigned char c) { return std::isalnum(c) == 0; });
      return name;
    });

}  // namespace
}  // namespace ktstr
