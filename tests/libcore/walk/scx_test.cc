#include "libcore/walk/sched/scx.h"

#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/sched/scx_cpu.h"
#include "libcore/walk/task/task.h"
#include "scx_guest.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Events = std::map<std::string, int64_t>;

class ScxTest : public ::testing::TestWithParam<ScxLayout> {
 protected:
  ScxGuest guest_{GetParam()};
};

TEST_P(ScxTest, ALoadedSchedulerIsARow) {
  guest_.scx.AddScheduler(
      {.name = "layered", .flags = 0x12, .timeout_ms = 15000, .watchdog_timeout = 3750});
  guest_.scx.SetGlobal("scx_switching_all", 1);
  guest_.scx.SetGlobal("scx_nr_rejected", 4);
  guest_.scx.SetGlobal("scx_enable_seq", 2);
  guest_.scx.SetGlobal("scx_watchdog_timestamp", 4294892296 + 900);
  guest_.scx.SetGlobal(
      GetParam() == ScxLayout::kStatic ? "scx_ops_enable_state_var" : "scx_enable_state_var", 1);
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  ASSERT_EQ(state.schedulers.size(), 1u);
  const ScxRow& row = state.schedulers[0];
  EXPECT_EQ(row.ops_name, "layered");
  EXPECT_EQ(row.level, GetParam() == ScxLayout::kStatic ? std::nullopt : std::optional(0));
  EXPECT_EQ(row.enable_state, "enabled");
  EXPECT_EQ(row.ops_flags, "enq_last|0x10");
  EXPECT_EQ(row.switch_all, 1);
  EXPECT_EQ(row.bypass_depth, 0);
  EXPECT_EQ(row.enable_seq, 2);
  EXPECT_EQ(row.nr_rejected, 4);
  EXPECT_EQ(row.timeout_ms, 15000);
  EXPECT_EQ(row.watchdog_timeout_ms, 15000);
  EXPECT_EQ(row.watchdog_age_ms, 400);
  EXPECT_EQ(row.exit_kind, "none");
  EXPECT_EQ(row.exit_message, std::nullopt);
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

// As their bits are in kernels of either kind: 7.1 moved the states among the flags, has one more
// before INIT, and says there why a task is enqueued again.
TEST_P(ScxTest, ATasksStateIsNamed) {
  const bool among_flags = GetParam() >= ScxLayout::kSubSchedulers;
  const auto task = [&](uint32_t pid, uint64_t flags) {
    const Kva kva = guest_.NewTask(pid);
    guest_.builder().Set("task_struct", kva, "scx.flags", flags);
    guest_.builder().Set("task_struct", kva, "scx.dsq_flags", pid);
    guest_.builder().Set("task_struct", kva, "scx.ops_state.counter", pid << 2 | 2);
  };
  task(1, 0);
  task(2, among_flags ? 0x401 : 0x301);
  task(3, 0x100);
  if (among_flags) task(4, 0x3521);
  task(5, uint64_t{1} << 31);
  guest_.Finish();
  const auto walked = WalkTasks(guest_.Open(), std::span<const StackFrameRow>());
  ASSERT_TRUE(walked) << walked.error().ToString();
  std::map<int64_t, std::string> states;
  std::map<int64_t, int64_t> numbers;
  for (const TaskRow& row : walked->rows) {
    numbers[*row.pid] = row.scx_state_raw.value_or(-1);
    if (*row.pid != 0) {
      EXPECT_EQ(row.scx_dsq_flags, Hex(static_cast<uint64_t>(*row.pid)));
      EXPECT_EQ(row.scx_ops_state_raw, 2);
      EXPECT_EQ(row.scx_ops_qseq, *row.pid);
    }
    states[*row.pid] = row.scx_state.value_or("?") + " " + row.scx_flag_names.value_or("?");
  }
  EXPECT_EQ(states[1], "none ");
  EXPECT_EQ(states[2], "enabled queued");
  EXPECT_EQ(states[3], among_flags ? "init_begin " : "init ");
  EXPECT_EQ(states[4], among_flags ? "dead queued|immed|reenq_preempted" : "");
  EXPECT_EQ(states[5], "none cursor");
  EXPECT_EQ(numbers[1], 0);
  EXPECT_EQ(numbers[2], among_flags ? 4 : 3);
  EXPECT_EQ(numbers[3], 1);
  EXPECT_EQ(numbers[5], 0);
}

TEST_P(ScxTest, WithoutASchedulerThereIsNoName) {
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  for (const ScxRow& row : state.schedulers) EXPECT_EQ(row.ops_name, std::nullopt);
  EXPECT_EQ(state.schedulers.size(), GetParam() == ScxLayout::kStatic ? 1u : 0u);
  EXPECT_THAT(state.ops, IsEmpty());
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(ScxTest, EveryCallbackIsToldAsSetOrNot) {
  const Kva code = guest_.builder().Text("the_trampoline");
  guest_.scx.AddScheduler({.name = "s", .callbacks = {{"enqueue", code}, {"init", code + 8}}});
  guest_.Finish();
  std::map<std::string, std::optional<Hex>> callbacks;
  for (const ScxOpRow& op : WalkScxOf(guest_).ops) {
    EXPECT_EQ(op.set, op.address ? 1 : 0);
    callbacks[op.op] = op.address;
  }
  EXPECT_THAT(callbacks,
              ElementsAre(std::pair("dispatch", std::nullopt), std::pair("enqueue", Hex(code)),
                          std::pair("init", Hex(code + 8))));
}

TEST_P(ScxTest, AnErrorHasItsReasonMessageBacktraceAndDump) {
  const Kva code = guest_.builder().Text("scx_watchdog_workfn");
  guest_.scx.AddScheduler({.name = "s",
                           .exit = {.kind = ScxBuilder::kExitErrorStall,
                                    .code = 0x42,
                                    .reason = "runnable task stall",
                                    .message = "worker[7] failed to run for 5.000s",
                                    .dump = std::string(10000, 'd'),
                                    .backtrace = {code + 0x1c, Kva(0x1234)}}});
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  const ScxRow& row = state.schedulers.at(0);
  EXPECT_EQ(row.exit_kind, "error_stall");
  EXPECT_EQ(row.exit_code, Hex(0x42));
  EXPECT_EQ(row.exit_reason, "runnable task stall");
  EXPECT_EQ(row.exit_message, "worker[7] failed to run for 5.000s");
  EXPECT_EQ(row.exit_backtrace, "scx_watchdog_workfn+0x1c\n0x0000000000001234");
  EXPECT_EQ(row.exit_dump, std::string(10000, 'd'));
  EXPECT_THAT(state.anomalies, NoAnomalies());
}

TEST_P(ScxTest, TheOldestRunnableTaskIsWhatTheWatchdogWillFind) {
  const Kva scheduler = guest_.scx.AddScheduler({.name = "s", .watchdog_timeout = 250});
  const int64_t runnable_at[] = {4294892296 + 800, 4294892296 + 500, 4294892296 + 999};
  for (uint32_t i = 0; i < 3; ++i) {
    const Kva task = guest_.NewTask(i + 1);
    guest_.builder().Set("task_struct", task, "scx.runnable_at",
                         static_cast<uint64_t>(runnable_at[i]));
    guest_.sched.queues().AddRunnable(i % 2, task);
    guest_.scx.Own(scheduler, task);
  }
  guest_.Finish();
  const ScxRow row = WalkScxOf(guest_).schedulers.at(0);
  EXPECT_EQ(row.oldest_runnable_pid, 2);
  EXPECT_EQ(row.oldest_waiting_ms, 2000);
  EXPECT_EQ(row.watchdog_margin_ms, -1000);
}

TEST_P(ScxTest, ADumpWhosePageWasLeftOutEndsThere) {
  const Kva scheduler =
      guest_.scx.AddScheduler({.name = "s",
                               .exit = {.kind = ScxBuilder::kExitUnreg,
                                        .reason = "unregistered from user space",
                                        .dump = std::string(3 * kPageSize, 'd')}});
  const Kva lost = guest_.scx.dump_at(scheduler) + kPageSize;
  guest_.LeaveOut(lost);
  guest_.Finish();
  const ScxState state = WalkScxOf(guest_);
  EXPECT_EQ(state.schedulers.at(0).exit_kind, "unreg");
  EXPECT_EQ(state.schedulers.at(0).exit_reason, "unregistered from user space");
  EXPECT_EQ(state.schedulers.at(0).exit_dump, std::string(kPageSize, 'd'));
  EXPECT_THAT(state.anomalies, HasAnomaly("unreadable", lost));
}

INSTANTIATE_TEST_SUITE_P(Layouts, ScxTest, ::testing::ValuesIn(kAllLayouts),
                         [](const auto& info) { return NameOf(info.param); });

TEST(ScxVersionsTest, AKernelWithoutSchedExtHasNothing) {
  WalkGuest guest;
  synthetic::SchedBuilder sched(guest.builder(), /*scx=*/false);
  sched.Finish();
  const auto state = WalkScx(guest.Open());
  ASSERT_TRUE(state);
  EXPECT_THAT(state->schedulers, IsEmpty());
  EXPECT_THAT(state->anomalies, NoAnomalies());
}

TEST(ScxVersionsTest, ASchedulerThatIsBeingDisabledStillHasItsReason) {
  ScxGuest guest(ScxLayout::kStatic);
  guest.scx.AddScheduler(
      {.name = "s", .exit = {.kind = ScxBuilder::kExitErrorStall, .reason = "stall"}});
  // scx_ops_disable_workfn: the kind is done while the information is still there.
  guest.builder().Put<int32_t>(guest.builder().SymbolAddress("scx_exit_kind"),
                               ScxBuilder::kExitDone);
  guest.Finish();
  const ScxRow row = WalkScxOf(guest).schedulers.at(0);
  EXPECT_EQ(row.exit_kind, "error_stall");
  EXPECT_EQ(row.exit_reason, "stall");
}

TEST(ScxVersionsTest, EventsAreSummedOverTheCpus) {
  for (const ScxLayout layout :
       {ScxLayout::kSched, ScxLayout::kSchedPcpu, ScxLayout::kSubSchedulers, ScxLayout::kCaps}) {
    ScxGuest guest(layout);
    const Kva scheduler = guest.scx.AddScheduler({.name = "s"});
    guest.scx.CountEvent(scheduler, 0, "SELECT_CPU_FALLBACK", 5);
    guest.scx.CountEvent(scheduler, 1, "SELECT_CPU_FALLBACK", 7);
    guest.scx.CountEvent(scheduler, 1, "DISPATCH_KEEP_LAST", 3);
    guest.Finish();
    Events events;
    for (const ScxEventRow& row : WalkScxOf(guest).events) events[row.event] = row.count;
    EXPECT_EQ(events, (Events{{"SELECT_CPU_FALLBACK", 12}, {"DISPATCH_KEEP_LAST", 3}}))
        << NameOf(layout);
  }
}

// Up to 7.2 a run queue has one mask for all schedulers; then each scheduler has its own.
TEST(ScxCpuTest, TheKicksOfACpuAreThoseOfAllSchedulers) {
  ScxGuest guest(ScxLayout::kCaps);
  const Kva root = guest.scx.AddScheduler({.name = "root"});
  const Kva below = guest.scx.AddScheduler({.name = "below", .cgroup = "/a"}, root);
  for (const Kva scheduler : {root, below}) {
    for (const uint32_t cpu : {0, 1}) guest.scx.SetKicks(scheduler, cpu, "cpus_to_kick", 0);
  }
  guest.scx.SetKicks(root, 1, "cpus_to_kick", 1);
  guest.scx.SetKicks(below, 1, "cpus_to_kick", 2);
  guest.scx.SetKicks(below, 0, "cpus_to_wait", 2);
  guest.Finish();
  const auto walked = WalkCpus(guest.Open());
  ASSERT_TRUE(walked) << walked.error().ToString();
  ASSERT_GE(walked->rows.size(), 2u);
  EXPECT_EQ(walked->rows[0].scx.to_kick, "");
  EXPECT_EQ(walked->rows[1].scx.to_kick, "0-1");
  // One of them has no such mask: what all of them wait for is unknown.
  EXPECT_EQ(walked->rows[0].scx.to_wait, std::nullopt);
}

TEST(ScxCpuTest, EachSchedulerTellsItsOwnKicksAndWhatItMayDo) {
  ScxGuest guest(ScxLayout::kCaps);
  const Kva root = guest.scx.AddScheduler({.name = "root"});
  const Kva below = guest.scx.AddScheduler({.name = "below", .cgroup = "/a"}, root);
  guest.scx.SetKicks(root, 1, "cpus_to_kick", 1);
  guest.scx.SetKicks(below, 1, "cpus_to_kick", 2);
  guest.scx.SetKicks(below, 0, "cpus_to_preempt", 3);
  guest.scx.SetOfCpu(below, 0, "flags", 1);
  guest.scx.SetOfCpu(below, 1, "ecaps", 0x13);
  guest.scx.SetOfCpu(below, 1, "rescue_avg", 5000);
  guest.Finish();
  const auto walked = WalkScxCpus(guest.Open());
  ASSERT_TRUE(walked) << walked.error().ToString();
  EXPECT_THAT(walked->anomalies, NoAnomalies());
  ASSERT_EQ(walked->rows.size(), 4u);
  const ScxCpuRow &of_root = walked->rows[1], &of_below = walked->rows[2], &last = walked->rows[3];
  EXPECT_EQ(of_root.scheduler, 0);
  EXPECT_EQ(of_root.cpu, 1);
  EXPECT_EQ(of_root.to_kick, "0");
  EXPECT_EQ(of_root.caps, std::nullopt);
  EXPECT_EQ(of_root.bypassing, 0);
  EXPECT_EQ(of_below.scheduler, 1);
  EXPECT_EQ(of_below.to_kick, std::nullopt);
  EXPECT_EQ(of_below.to_preempt, "0-1");
  EXPECT_EQ(of_below.bypassing, 1);
  EXPECT_EQ(of_below.caps, "");
  EXPECT_EQ(last.to_kick, "1");
  EXPECT_EQ(last.caps, "enq_immed|enq|0x0000000000000010");
  EXPECT_EQ(last.rescue_avg_ns, 5000);
}

TEST(ScxCpuTest, KernelsBefore618HaveNoSuchParts) {
  for (const ScxLayout layout : {ScxLayout::kStatic, ScxLayout::kSched}) {
    ScxGuest guest(layout);
    guest.scx.AddScheduler({.name = "s"});
    guest.Finish();
    const auto walked = WalkScxCpus(guest.Open());
    ASSERT_TRUE(walked) << walked.error().ToString();
    EXPECT_THAT(walked->rows, IsEmpty());
    EXPECT_THAT(walked->anomalies, NoAnomalies());
  }
}

TEST(ScxVersionsTest, CallbacksOfTheCidFormHaveTheirOwnNames) {
  for (const ScxLayout layout : {ScxLayout::kCids, ScxLayout::kCaps}) {
    ScxGuest guest(layout);
    const Kva code = guest.builder().Text("the_trampoline");
    const Kva root = guest.scx.AddScheduler({.name = "root", .callbacks = {{"dispatch", code}}});
    guest.scx.AddScheduler({.name = "below",
                            .timeout_ms = 700,
                            .callbacks = {{"dispatch_cid", code + 8}},
                            .is_cid_type = true},
                           root);
    guest.Finish();
    const ScxState state = WalkScxOf(guest);
    ASSERT_EQ(state.schedulers.size(), 2u);
    EXPECT_EQ(state.schedulers[0].form, "cpu");
    EXPECT_EQ(state.schedulers[1].form, "cid");
    EXPECT_EQ(state.schedulers[1].ops_name, "below");
    EXPECT_EQ(state.schedulers[1].timeout_ms, 700);
    std::vector<std::string> set;
    for (const ScxOpRow& op : state.ops) {
      if (op.set == 1) set.push_back(fmt::format("{} {}", op.scheduler, op.op));
    }
    EXPECT_THAT(set, ElementsAre("0 dispatch", "1 dispatch_cid"));
    EXPECT_THAT(state.anomalies, NoAnomalies());
  }
}

TEST(ScxVersionsTest, ARootThatIsNoneIsAnAnomalyNotAScheduler) {
  ScxGuest guest(ScxLayout::kSched);
  guest.scx.SetGlobal("scx_root", guest.Wild().value());
  guest.Finish();
  const ScxState state = WalkScxOf(guest);
  ASSERT_EQ(state.schedulers.size(), 1u);
  EXPECT_EQ(state.schedulers[0].ops_name, std::nullopt);
  EXPECT_THAT(state.anomalies, HasAnomaly("unmapped", guest.Wild()));
}

}  // namespace
}  // namespace ktstr
