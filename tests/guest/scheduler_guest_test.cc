// sched_ext schedulers in guests of ours: the healthy one schedules, and each of its faults shows
// in what the guest says of itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "guest_tests.h"

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kVtime[] = "/vtime.bpf.o";
// enum scx_exit_kind of Linux 6.12 to 7.3.
constexpr int kExitUnreg = 64, kExitUnregBpf = 65, kExitError = 1024, kExitErrorBpf = 1025,
              kExitErrorStall = 1026;
// Enough for the watchdog of any timeout used here, on a busy host.
constexpr seconds kPatience(90);

MachineOptions SchedExtMachine(const std::string& kernel, int cpus) {
  MachineOptions options;
  options.kernel = AnyKernel(kernel);
  options.qemu = QemuForSchedulers();
  options.cpus = cpus;
  options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
  return options;
}

std::map<std::string, uint64_t> RoundsByName(const json& report) {
  std::map<std::string, uint64_t> rounds;
  for (const json& worker : report["workers"]) rounds[worker["name"]] = worker["rounds"];
  return rounds;
}

// Asks until every worker has made progress since `before`, or patience ends.
testing::AssertionResult AllProgress(GuestMachine& machine) {
  const auto first = machine.Report();
  if (!first) return IsOk(first);
  const auto before = RoundsByName(*first);
  const Deadline deadline = After(kPatience);
  std::string stuck;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto report = machine.Report();
    if (!report) return IsOk(report);
    stuck.clear();
    for (const auto& [name, rounds] : RoundsByName(*report)) {
      if (rounds == before.at(name)) stuck += " " + name;
    }
    if (stuck.empty()) return testing::AssertionSuccess();
  }
  return testing::AssertionFailure() << "no progress of" << stuck;
}

class SchedulerGuestTest : public testing::Test {
 protected:
  void TearDown() override {
    if (HasFailure() && machine_) ADD_FAILURE() << machine_->qemu().ConsoleTail();
  }
  void Boot(const char* work, int cpus = 2, const std::string& kernel = "small") {
    auto machine = BootWithWork(SchedExtMachine(kernel, cpus), work);
    ASSERT_OK(machine);
    machine_ = std::move(*machine);
    const auto state = machine_->SchedulerState();
    ASSERT_OK(state);
    if (!(*state)["sched_ext"].contains("state")) GTEST_SKIP() << "a kernel without sched_ext";
  }
  void Load(const json& variables = json::object()) {
    json all = {{"vtime_ops.timeout_ms", 2000}};
    all.update(variables);
    ASSERT_OK(machine_->LoadScheduler(kVtime, all));
  }
  // Waits for the scheduler's end; what its exit callback was told.
  json AwaitExit() {
    const auto ended = machine_->WaitForSchedulerExit(After(kPatience));
    EXPECT_OK(ended);
    if (!ended) return json::object();
    EXPECT_EQ((*ended)["sched_ext"]["state"], "disabled");
    EXPECT_FALSE((*ended)["exit"].is_null());
    return (*ended)["exit"];
  }

  std::unique_ptr<GuestMachine> machine_;
};

// What holds of the kernel of our own, and of the newest of Debian's: one object for all.
class SchedulerOnKernelTest : public SchedulerGuestTest,
                              public testing::WithParamInterface<std::string> {};

INSTANTIATE_TEST_SUITE_P(Own, SchedulerOnKernelTest, testing::Values("small"),
                         [](const auto& kernel) { return KernelTestName(kernel.param); });
INSTANTIATE_TEST_SUITE_P(Others, SchedulerOnKernelTest,
                         testing::ValuesIn(OtherKernels({"newest-7"})),
                         [](const auto& kernel) { return KernelTestName(kernel.param); });

TEST_P(SchedulerOnKernelTest, TheHealthyOneIsEnabledAndEveryWorkerProgresses) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:3,sleep:2,yield,pipe", 4, GetParam()));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(Load());
  const auto state = machine_->SchedulerState();
  ASSERT_OK(state);
  EXPECT_EQ((*state)["sched_ext"]["state"], "enabled");
  EXPECT_EQ((*state)["sched_ext"]["switch_all"], "1");
  EXPECT_EQ((*state)["sched_ext"]["root/ops"], "ktstr_vtime");
  EXPECT_EQ((*state)["object"], kVtime);
  EXPECT_TRUE((*state)["exit"].is_null());
  EXPECT_EQ((*state)["variables"]["slice_ns"], 20'000'000);
  EXPECT_TRUE(AllProgress(*machine_));
  const auto later = machine_->SchedulerState();
  ASSERT_OK(later);
  EXPECT_EQ((*later)["sched_ext"]["state"], "enabled");
  EXPECT_GT((*later)["variables"]["vtime_now"], (*state)["variables"]["vtime_now"]);

  const auto last = machine_->UnloadScheduler();
  ASSERT_OK(last);
  EXPECT_EQ((*last)["sched_ext"]["state"], "disabled");
  EXPECT_EQ((*last)["exit"]["kind"], kExitUnreg);
  EXPECT_TRUE(AllProgress(*machine_));
  ASSERT_NO_FATAL_FAILURE(Load());  // and once more
  EXPECT_TRUE(AllProgress(*machine_));
}

TEST_P(SchedulerOnKernelTest, AStallIsEndedByTheWatchdogAndAnotherSchedulerCanFollow) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:3,sleep:2", 2, GetParam()));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(Load());
  ASSERT_OK(machine_->SetSchedulerVariable("stall", 1));
  // Init tells of the guest while nothing else runs.
  const auto state = machine_->SchedulerState();
  ASSERT_OK(state);
  EXPECT_EQ((*state)["variables"]["stall"], 1);
  const json exit = AwaitExit();
  EXPECT_EQ(exit["kind"], kExitErrorStall) << exit;
  EXPECT_EQ(exit["reason"], "runnable task stall");
  EXPECT_THAT(exit["dump"].get<std::string>(), HasSubstr("CPU states"));
  EXPECT_TRUE(AllProgress(*machine_));
  ASSERT_NO_FATAL_FAILURE(Load({{"slice_ns", 5'000'000}}));
  EXPECT_TRUE(AllProgress(*machine_));
}

TEST_F(SchedulerGuestTest, ALostTaskIsNamedByTheWatchdog) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:1,sleep:3"));
  ASSERT_NO_FATAL_FAILURE(Load({{"lose_one", 1}, {"lose_comm", "sleep-1"}}));
  const json exit = AwaitExit();
  EXPECT_EQ(exit["kind"], kExitErrorStall) << exit;
  EXPECT_THAT(exit["message"].get<std::string>(),
              AllOf(testing::StartsWith("sleep-1["), HasSubstr("failed to run for")));
}

TEST_F(SchedulerGuestTest, ATaskOnAForbiddenCpuEndsIt) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:2,sleep:2"));
  ASSERT_NO_FATAL_FAILURE(Load());
  ASSERT_OK(machine_->SetSchedulerVariable("wrong_cpu", 1));
  const json exit = AwaitExit();
  EXPECT_EQ(exit["kind"], kExitError) << exit;
  EXPECT_THAT(exit["message"].get<std::string>(), HasSubstr("not allowed for"));
}

TEST_P(SchedulerOnKernelTest, AnErrorEndsItWithItsMessage) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:2,sleep:2", 2, GetParam()));
  if (IsSkipped()) return;
  ASSERT_NO_FATAL_FAILURE(Load());
  ASSERT_OK(machine_->SetSchedulerVariable("error_message", "queue 7 is upside down"));
  ASSERT_OK(machine_->SetSchedulerVariable("error", true));
  const json exit = AwaitExit();
  EXPECT_EQ(exit["kind"], kExitErrorBpf) << exit;
  EXPECT_EQ(exit["message"], "queue 7 is upside down");
}

TEST_F(SchedulerGuestTest, AnExitOfItsOwnTellsItsCodeAndMessage) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:2,sleep:2"));
  ASSERT_NO_FATAL_FAILURE(Load({{"self_exit_code", -42}, {"self_exit_message", "done here"}}));
  ASSERT_OK(machine_->SetSchedulerVariable("self_exit", 1));
  const json exit = AwaitExit();
  EXPECT_EQ(exit["kind"], kExitUnregBpf) << exit;
  EXPECT_EQ(exit["code"], -42);
  EXPECT_EQ(exit["message"], "done here");
}

TEST_F(SchedulerGuestTest, UnknownVariablesAreRefusedWithTheNearestNames) {
  ASSERT_NO_FATAL_FAILURE(Boot("sleep"));
  const auto refusal = [&](const json& variables) {
    const auto loaded = machine_->LoadScheduler(kVtime, variables);
    EXPECT_FALSE(loaded);
    return loaded ? "" : loaded.error().ToString();
  };
  EXPECT_THAT(refusal({{"stal", 1}}), HasSubstr("'stal'; did you mean 'stall'?"));
  EXPECT_THAT(refusal({{"vtime_ops.timeout", 1}}), HasSubstr("timeout_ms"));
  EXPECT_THAT(refusal({{"stall", "yes"}}), HasSubstr("is an integer"));
  EXPECT_THAT(refusal({{"stall", uint64_t{1} << 32}}), HasSubstr("of 4 bytes cannot hold"));
  EXPECT_THAT(refusal({{"lose_comm", "a name far too long"}}), HasSubstr("15 characters"));
  EXPECT_THAT(refusal({{"cpu_node", {0, 256}}}), HasSubstr("of 1 bytes cannot hold"));
  const auto missing = machine_->LoadScheduler("/nothing.bpf.o");
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().ToString(), HasSubstr("no BPF object"));

  const auto early = machine_->SetSchedulerVariable("stall", 1);
  ASSERT_FALSE(early);
  EXPECT_THAT(early.error().ToString(), HasSubstr("no scheduler is loaded"));
  ASSERT_NO_FATAL_FAILURE(Load());
  const auto fixed = machine_->SetSchedulerVariable("slice_ns", 1);
  ASSERT_FALSE(fixed);
  EXPECT_THAT(fixed.error().ToString(), HasSubstr("fixed once loaded"));
  const auto twice = machine_->LoadScheduler(kVtime);
  ASSERT_FALSE(twice);
  EXPECT_THAT(twice.error().ToString(), HasSubstr("unload it first"));
}

TEST_F(SchedulerGuestTest, ASchedulerThatTheKernelRefusesIsRefusedWithItsWords) {
  ASSERT_NO_FATAL_FAILURE(Boot("sleep"));
  // A node that the machine does not have.
  const auto loaded = machine_->LoadScheduler(kVtime, {{"nr_nodes", 8}});
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().ToString(), HasSubstr("ops.init() failed (-22)"));
  EXPECT_OK(machine_->LoadScheduler(kVtime));
}

}  // namespace
}  // namespace ktstr
