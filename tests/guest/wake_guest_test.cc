// sched_ext guests, frozen and woken: they go on as if nothing had been.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "capture/capture.h"
#include "capture/run/woken_run.h"
#include "capture/scenario/scenario_reader.h"
#include "capture/system/memory_file.h"
#include "capture/wake/wake.h"
#include "fixtures/sample/temporary_directory.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/sched/scx.h"
#include "woken.h"

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;
using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr char kVtime[] = "/vtime.bpf.o";
constexpr milliseconds kWatchdog(4000);

std::map<std::string, uint64_t> RoundsOf(GuestMachine& machine) {
  std::map<std::string, uint64_t> rounds;
  const auto report = machine.Workers();
  EXPECT_OK(report);
  if (!report) return rounds;
  for (const json& worker : (*report)["workers"]) rounds[worker["name"]] = worker["rounds"];
  return rounds;
}

class WakeGuestTest : public testing::Test {
 protected:
  // A guest with a scheduler and work, frozen into `archive()` after `before` was done to it.
  void Freeze(const std::function<Status(GuestMachine&)>& before = nullptr) {
    MachineOptions options;
    options.kernel = SchedExtKernel("small");
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    const auto machine = BootWithWork(options, "spin:3,sleep:2");
    ASSERT_OK(machine);
    ASSERT_OK((*machine)->LoadScheduler(kVtime, {{"vtime_ops.timeout_ms", kWatchdog.count()}}));
    if (before) {
      ASSERT_OK(before(**machine));
    }
    frozen_rounds_ = RoundsOf(**machine);
    CaptureOptions capture;
    capture.output = archive();
    capture.then = AfterCapture::kQuit;
    capture.pid = (*machine)->qemu().pid();
    ASSERT_OK(Capture((*machine)->qmp(), capture));
    auto reader = ArchiveReader::Open(archive());
    ASSERT_OK(reader);
    reader_ = *std::move(reader);
  }

  std::string archive() const { return (directory_ / "frozen.kts").string(); }

  std::unique_ptr<GuestMachine> Wake() {
    auto woken = WakeMachine(*reader_, {.ports = WakingPorts::kOurs});
    EXPECT_OK(woken);
    if (!woken) return nullptr;
    EXPECT_THAT(woken->notes, testing::IsEmpty());
    auto machine =
        GuestMachine::Adopt(std::move(woken->qemu), woken->accelerator, GuestMachine::Init::kOurs,
                            reader_->metadata().kernel_release, GuestMachine::Timeouts());
    EXPECT_OK(machine);
    return machine ? *std::move(machine) : nullptr;
  }

  // Until each worker has done rounds that it had not done before.
  static testing::AssertionResult AllGoOn(GuestMachine& machine,
                                          const std::map<std::string, uint64_t>& before) {
    std::string stuck;
    for (const Deadline end = After(seconds(60)); PollTimeout(end) > 0;) {
      stuck.clear();
      for (const auto& [name, rounds] : RoundsOf(machine)) {
        const auto was = before.find(name);
        if (was == before.end() || rounds <= was->second) stuck += " " + name;
      }
      if (stuck.empty() && !before.empty()) return testing::AssertionSuccess();
    }
    return testing::AssertionFailure() << "no progress of" << stuck;
  }

  // Runs ktstr-replay with these words; what it wrote to standard output.
  std::string Replay(std::vector<std::string> words, int* exit_code) {
    const UniqueFd out = *MakeMemoryFile("out"), err = *MakeMemoryFile("err");
    words.insert(words.begin(), KTSTR_REPLAY_PROGRAM);
    auto program =
        ChildProcess::Start({.argv = words, .stdout_fd = out.get(), .stderr_fd = err.get()});
    EXPECT_OK(program);
    const auto status = program->Wait(After(seconds(200)));
    EXPECT_OK(status);
    *exit_code = status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
    said_ = ReadTail(err.get(), 65536).value_or("");
    return ReadTail(out.get(), 1 << 20).value_or("");
  }

  static ScxRow SchedulerIn(const std::string& file) {
    const auto machine = FrozenMachine::Open(file);
    EXPECT_OK(machine);
    const auto kernel = (*machine)->Kernel();
    EXPECT_OK(kernel);
    const auto scx = WalkScx(**kernel);
    EXPECT_OK(scx);
    return scx && !scx->schedulers.empty() ? scx->schedulers.front() : ScxRow();
  }

  TemporaryDirectory directory_;
  std::unique_ptr<ArchiveReader> reader_;
  std::map<std::string, uint64_t> frozen_rounds_;
  std::string said_;  // by the last program, on standard error
};

TEST_F(WakeGuestTest, IsWhatWasFrozenAndWorkersGoOnCounting) {
  ASSERT_NO_FATAL_FAILURE(Freeze());
  const auto machine = Wake();
  ASSERT_NE(machine, nullptr);
  EXPECT_EQ(RunState(machine->qmp()), "paused");
  ASSERT_NO_FATAL_FAILURE(ExpectTheSame(machine->qmp(), machine->qemu().pid(), archive()));
  ASSERT_OK(machine->qmp().Execute("cont"));
  EXPECT_TRUE(AllGoOn(*machine, frozen_rounds_));
  const auto state = machine->SchedulerState();
  ASSERT_OK(state);
  EXPECT_EQ((*state)["sched_ext"]["state"], "enabled");
  EXPECT_TRUE((*state)["exit"].is_null());
  // Where the kernel would warn of a stall, a lock-up or a clock that jumped.
  EXPECT_THAT(machine->qemu().ConsoleTail(), testing::IsEmpty());
  // Its QEMU would stay, for the machine to be looked at.
  const auto off = machine->PowerOff();
  ASSERT_OK(off);
  EXPECT_EQ(*off, 0);
}

TEST_F(WakeGuestTest, SeveralRunAtOnceFromOneArchiveEachWithMemoryOfItsOwn) {
  ASSERT_NO_FATAL_FAILURE(Freeze());
  const std::string digest = reader_->digest();
  const auto first = Wake(), second = Wake();
  ASSERT_TRUE(first != nullptr && second != nullptr);
  ASSERT_OK(first->qmp().Execute("cont"));
  EXPECT_TRUE(AllGoOn(*first, frozen_rounds_));
  // Not a page of the other's has changed by that.
  ASSERT_NO_FATAL_FAILURE(ExpectTheSame(second->qmp(), second->qemu().pid(), archive()));
  ASSERT_OK(second->qmp().Execute("cont"));
  EXPECT_TRUE(AllGoOn(*second, frozen_rounds_));
  EXPECT_EQ((*ArchiveReader::Open(archive()))->digest(), digest);
}

TEST_F(WakeGuestTest, TheWatchdogOfAStalledSchedulerStrikesWhenItWouldHave) {
  ASSERT_NO_FATAL_FAILURE(
      Freeze([](GuestMachine& m) { return m.SetSchedulerVariable("stall", 1); }));
  const auto interrupt = Interrupt::Make();
  ASSERT_OK(interrupt);
  const RunOnPlan plan = {.run_for = seconds(60), .until = *ParseTrigger("scheduler-exit")};
  const auto run = WokenRun::Wake(*reader_, {}, plan);
  ASSERT_OK(run);
  const auto end = (*run)->Run(**interrupt);
  ASSERT_OK(end);
  EXPECT_EQ(end->trigger, "scheduler-exit");
  EXPECT_THAT(end->detail, HasSubstr("runnable task stall"));

  // That machine stands at a breakpoint, and can be frozen and woken in its turn.
  CaptureOptions capture = (*run)->DescribeCapture(*end);
  capture.output = directory_ / "exit.kts";
  ASSERT_OK(Capture((*run)->qmp(), capture));
  const ScxRow scx = SchedulerIn(capture.output);
  EXPECT_EQ(scx.exit_kind, "error_stall");
  const auto again = ArchiveReader::Open(capture.output);
  ASSERT_OK(again);
  EXPECT_EQ((*again)->metadata().parent_digest, reader_->digest());
  EXPECT_EQ((*again)->metadata().trigger, "scheduler-exit");
  const auto woken = WokenRun::Wake(**again, {}, {.run_for = seconds(3)});
  ASSERT_OK(woken);
  ASSERT_NO_FATAL_FAILURE(ExpectTheSame((*woken)->qmp(), (*woken)->qemu().pid(), capture.output));
  const auto ran = (*woken)->Run(**interrupt);
  ASSERT_OK(ran);
  EXPECT_EQ(ran->trigger, "resumed") << ran->detail;
  CaptureOptions last = (*woken)->DescribeCapture(*ran);
  last.output = directory_ / "disabled.kts";
  ASSERT_OK(Capture((*woken)->qmp(), last));
  EXPECT_EQ(SchedulerIn(last.output).enable_state, "disabled");
}

TEST_F(WakeGuestTest, WhatIfTheFaultWereNotThere) {
  ASSERT_NO_FATAL_FAILURE(
      Freeze([](GuestMachine& m) { return m.SetSchedulerVariable("stall", 1); }));
  uint64_t variable = 0;
  {
    const auto machine = FrozenMachine::Open(archive());
    ASSERT_OK(machine);
    const auto maps = WalkBpfMaps(**(*machine)->Kernel());
    ASSERT_OK(maps);
    for (const BpfMapValueRow& value : maps->values) {
      if (value.key == "\"stall\"") variable = value.value_kva.value().value;
    }
    ASSERT_NE(variable, 0u);
  }
  const std::string request = directory_ / "write.json";
  std::ofstream(request) << json{
      {"direction", "write"},
      {"entries",
       {{{"target", {{"kva", fmt::format("{:#x}", variable)}}}, {"value", {{"u32", 0}}}}}}};
  int exit_code = -1;
  const std::string out = directory_ / "out";
  const std::string said =
      Replay({"what-if", archive(), "--request", request, "--for", "7s", "--out", out}, &exit_code);
  EXPECT_EQ(exit_code, 1) << said_;  // there is a difference
  EXPECT_THAT(said, AllOf(HasSubstr("without.kts"), HasSubstr("class"), HasSubstr("with.kts")));
  EXPECT_EQ(SchedulerIn(out + "/without.kts").enable_state, "disabled");
  EXPECT_EQ(SchedulerIn(out + "/with.kts").enable_state, "enabled");
}

TEST_F(WakeGuestTest, TheProgramFreezesAgainAndLeavesNothingBehind) {
  ASSERT_NO_FATAL_FAILURE(Freeze());
  int exit_code = -1;
  const std::string again = directory_ / "again.kts";
  Replay({"resume", archive(), "--for", "500ms", "--then", "capture", again}, &exit_code);
  EXPECT_EQ(exit_code, 0) << said_;
  const auto reader = ArchiveReader::Open(again);
  ASSERT_OK(reader);
  EXPECT_EQ((*reader)->metadata().parent_digest, reader_->digest());
  EXPECT_EQ((*reader)->metadata().vmm_machine, reader_->metadata().vmm_machine);
  Replay({"resume", archive(), "--for", "10ms", "--then", "capture", again}, &exit_code);
  EXPECT_EQ(exit_code, 4);
  EXPECT_THAT(said_, AllOf(HasSubstr("again.kts"), HasSubstr("--force")));
}

}  // namespace
}  // namespace ktstr
