// Real guests watched while they run: what is shown is what they do, and nothing of it stops them.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "capture/freeze.h"
#include "capture/system/child_process.h"
#include "capture/system/memory_file.h"
#include "capture/watch/running_kernel.h"
#include "capture/watch/sampler.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_tests.h"
#include "libcore/walk/cpu/cpu.h"

namespace ktstr {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr char kVtime[] = "/vtime.bpf.o";
// Enough for anything awaited here, on a busy host.
constexpr seconds kPatience(90);

class WatchGuestTest : public testing::Test {
 protected:
  void Boot(const char* work) {
    MachineOptions options;
    options.kernel = SchedExtKernel("small");
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    options.qmp_socket = socket();
    auto machine = BootWithWork(options, work);
    ASSERT_OK(machine);
    machine_ = std::move(*machine);
    // Longer than any test takes: the watchdog looks on.
    ASSERT_OK(machine_->LoadScheduler(kVtime, {{"vtime_ops.timeout_ms", 25000}}));
  }
  void OpenSampler() {
    auto running = RunningKernel::Open(machine_->qmp(), machine_->qemu().pid());
    ASSERT_OK(running);
    running_.emplace(*std::move(running));
    auto sampler = Sampler::Make(running_->kernel());
    ASSERT_OK(sampler);
    sampler_.emplace(*std::move(sampler));
  }
  std::string socket() const { return (directory_ / "vm.qmp").string(); }

  // Samples, with work of the guest's between, until one is as wanted.
  std::optional<WatchSample> SampleUntil(const std::function<bool(const WatchSample&)>& wanted) {
    const Deadline deadline = After(kPatience);
    while (std::chrono::steady_clock::now() < deadline) {
      WatchSample sample = sampler_->Take();
      if (wanted(sample)) return sample;
      EXPECT_OK(machine_->SchedulerState());
    }
    return std::nullopt;
  }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::optional<RunningKernel> running_;
  std::optional<Sampler> sampler_;
};

bool ShowsSpinner(const CpuSample& cpu) {
  return !cpu.torn && cpu.comm && cpu.comm->starts_with("spin-") && cpu.task_class == "ext" &&
         cpu.nr_running >= 1 && cpu.scx >= 1 && cpu.switches_per_s > 0.0;
}

TEST_F(WatchGuestTest, CpusThatSpinShowTheSpinnersAndSwitchBetweenThem) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:5"));
  ASSERT_NO_FATAL_FAILURE(OpenSampler());
  const auto sample = SampleUntil([](const WatchSample& s) {
    return s.cpus.size() == 2 && ShowsSpinner(s.cpus[0]) && ShowsSpinner(s.cpus[1]);
  });
  ASSERT_TRUE(sample) << "never did both CPUs run spinners";
  EXPECT_EQ(sample->release, machine_->release());
  EXPECT_GT(sample->uptime_ns, 0);
  ASSERT_TRUE(sample->scx);
  EXPECT_EQ(sample->scx->ops_name, "ktstr_vtime");
  EXPECT_EQ(sample->scx->enable_state, "enabled");
  EXPECT_EQ(sample->scx->watchdog_timeout_ms, 25000);
  // The scheduler's queues are there, whether tasks are in them at this moment or not.
  EXPECT_THAT(sample->scx->dsqs, testing::Contains(testing::Field(&DsqSample::id, Hex(1000))));
}

TEST_F(WatchGuestTest, ASampleSaysWhatAFreezeRightAfterItSays) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:5,sleep:2"));
  ASSERT_NO_FATAL_FAILURE(OpenSampler());
  const WatchSample running = sampler_->Take();
  const auto frozen = Frozen::Freeze(machine_->qmp());
  ASSERT_OK(frozen);
  const WatchSample still = sampler_->Take();
  const auto walked = WalkCpus(running_->kernel());
  ASSERT_OK(walked);
  ASSERT_EQ(still.cpus.size(), walked->rows.size());
  for (size_t i = 0; i < still.cpus.size(); ++i) {
    const CpuSample& cpu = still.cpus[i];
    const CpuRow& row = walked->rows[i];
    EXPECT_EQ(cpu.cpu, row.cpu);
    EXPECT_EQ(cpu.pid, row.curr_pid);
    EXPECT_EQ(cpu.comm, row.curr_comm);
    EXPECT_EQ(cpu.nr_running, row.nr_running);
    EXPECT_EQ(cpu.nr_switches, row.nr_switches);
    EXPECT_EQ(cpu.cfs, row.cfs_nr_running);
    EXPECT_EQ(cpu.rt, row.rt_nr_running);
    EXPECT_EQ(cpu.scx, row.scx_nr_running);
    EXPECT_EQ(cpu.scx_flag_names, row.scx.flag_names);
    EXPECT_EQ(cpu.clock_behind_ns, row.clock_behind_ns);
    EXPECT_GE(cpu.nr_switches, running.cpus[i].nr_switches);
    EXPECT_GE(cpu.clock_ns, running.cpus[i].clock_ns);
  }
}

TEST_F(WatchGuestTest, AStallGrowsBeforeOnesEyesWhileTheGuestRuns) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:5"));
  ASSERT_NO_FATAL_FAILURE(OpenSampler());
  ASSERT_OK(machine_->SetSchedulerVariable("stall", 1));
  const auto waits = [](int64_t at_least_ms) {
    return [=](const WatchSample& s) {
      return !s.scx->oldest_torn && s.scx->oldest && s.scx->oldest->waiting_ms >= at_least_ms;
    };
  };
  const auto first = SampleUntil(waits(100));
  ASSERT_TRUE(first);
  const auto second = SampleUntil(waits(*first->scx->oldest->waiting_ms + 500));
  ASSERT_TRUE(second);
  EXPECT_EQ(second->scx->oldest->pid, first->scx->oldest->pid);
  EXPECT_LT(second->scx->watchdog_margin_ms, first->scx->watchdog_margin_ms);
  EXPECT_EQ(*second->scx->watchdog_margin_ms + *second->scx->oldest->waiting_ms, 25000);
  const auto user = std::ranges::find(second->scx->dsqs, Hex(0), &DsqSample::id);
  ASSERT_NE(user, second->scx->dsqs.end());
  EXPECT_GE(user->nr, 3);
  EXPECT_EQ(RunState(machine_->qmp()), "running");
  // Neither finding the kernel nor sampling has stopped it in between.
  const auto stopped = machine_->qmp().WaitForEvent("STOP", After(seconds(0)));
  EXPECT_EQ(stopped.error().code(), ErrorCode::kTimeout);
}

// How many samples of a CPU that is at work are whole, of forty.
int WholeSamples(const std::string& kernel, const std::function<void(const WatchSample&)>& look) {
  const auto machine = BootWithWork(Machine(kernel), "spin:3,sleep:2,yield");
  if (!machine) {
    ADD_FAILURE() << machine.error().ToString();
    return 0;
  }
  const auto running = RunningKernel::Open((*machine)->qmp(), (*machine)->qemu().pid());
  EXPECT_OK(running);
  auto sampler = Sampler::Make(running->kernel());
  EXPECT_OK(sampler);
  // A vCPU that waits for its host CPU in the middle of a change tears a sample now and then; a
  // count that is taken wrong tears all.
  int whole = 0;
  for (int i = 0; i < 20; ++i) {
    const WatchSample sample = sampler->Take();
    look(sample);
    for (const CpuSample& cpu : sample.cpus) {
      whole += !cpu.torn;
      EXPECT_EQ(cpu.torn ? 0 : cpu.dl, 0);
    }
  }
  return whole;
}

TEST(WatchStockKernelTest, AKernelWithDeadlineServersAndNoSchedExtAddsUp) {
  const int whole = WholeSamples("6.12", [](const WatchSample& sample) {
    EXPECT_FALSE(sample.scx);
    for (const CpuSample& cpu : sample.cpus) EXPECT_EQ(cpu.scx, std::nullopt);
  });
  EXPECT_GT(whole, 20);
}

TEST(WatchStockKernelTest, ANewKernelWithServersOfBothClassesAddsUp) {
  EXPECT_GT(WholeSamples("newest-7", [](const WatchSample&) {}), 20);
}

// ktstr-capture watch as a process.
class WatchProgram {
 public:
  explicit WatchProgram(std::vector<std::string> arguments) : said_(*MakeMemoryFile("said")) {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return;
    output_ = UniqueFd(fds[0]);
    const UniqueFd write(fds[1]);
    arguments.insert(arguments.begin(), {KTSTR_CAPTURE_PROGRAM, "watch"});
    auto process = ChildProcess::Start(
        {.argv = arguments, .stdout_fd = write.get(), .stderr_fd = said_.get()});
    if (process) process_.emplace(*std::move(process));
  }

  // The next line of its output; empty when there is none any more.
  std::string ReadLine() {
    std::string line;
    const Deadline deadline = After(kPatience);
    for (char c = 0;;) {
      pollfd waiting = {output_.get(), POLLIN, 0};
      if (poll(&waiting, 1, PollTimeout(deadline)) <= 0) return "(no output in time)";
      if (read(output_.get(), &c, 1) != 1 || c == '\n') return line;
      line += c;
    }
  }
  void Signal(int number) { kill(process_->pid(), number); }
  int ExitCodeOf() {
    const int status = process_->Wait(After(kPatience)).value_or(-1);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Said() const { return *ReadTail(said_.get(), 10'000); }

 private:
  UniqueFd said_, output_;
  std::optional<ChildProcess> process_;
};

TEST_F(WatchGuestTest, TheProgramPrintsALineOfJsonPerSample) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:5"));
  WatchProgram watch({"--qmp", socket(), "--count", "2", "--interval", "100", "--json"});
  const json first = json::parse(watch.ReadLine(), nullptr, false);
  const json second = json::parse(watch.ReadLine(), nullptr, false);
  EXPECT_EQ(watch.ReadLine(), "");
  EXPECT_EQ(watch.ExitCodeOf(), 0) << watch.Said();
  EXPECT_EQ(watch.Said(), "");
  for (const json& sample : {first, second}) {
    ASSERT_TRUE(sample.is_object());
    EXPECT_EQ(sample["release"], machine_->release());
    EXPECT_EQ(sample["run_state"], "running");
    EXPECT_EQ(sample["scx"]["ops_name"], "ktstr_vtime");
    EXPECT_EQ(sample["cpus"].size(), 2u);
  }
  EXPECT_TRUE(first["cpus"][0]["switches_per_s"].is_null());
  EXPECT_TRUE(second["cpus"][0]["switches_per_s"].is_number());
  EXPECT_GT(second["uptime_ns"], first["uptime_ns"]);
}

TEST_F(WatchGuestTest, CtrlCEndsItAndAGuestThatIsGoneDoesToo) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:2"));
  {
    WatchProgram watch({"--qmp", socket(), "--interval", "3600000"});
    EXPECT_THAT(watch.ReadLine(), StartsWith("guest      Linux " + machine_->release()));
    watch.Signal(SIGINT);
    EXPECT_EQ(watch.ExitCodeOf(), 0) << watch.Said();
    EXPECT_EQ(watch.Said(), "");
  }
  WatchProgram watch({"--qmp", socket(), "--interval", "3600000"});
  EXPECT_THAT(watch.ReadLine(), StartsWith("guest      Linux"));
  machine_->qemu().Kill();
  EXPECT_EQ(watch.ExitCodeOf(), 4);
  EXPECT_THAT(watch.Said(), StartsWith("ktstr-capture: the guest is gone: "));
}

TEST(WatchUsageTest, WrongUsageIsToldFromAMissingGuest) {
  EXPECT_EQ(WatchProgram({}).ExitCodeOf(), 2);
  EXPECT_EQ(WatchProgram({"--qmp", "/nowhere", "--interval", "0"}).ExitCodeOf(), 2);
  EXPECT_EQ(WatchProgram({"--qmp", "/nowhere", "--count", "0"}).ExitCodeOf(), 2);
  WatchProgram nobody({"--qmp", "/nowhere"});
  EXPECT_EQ(nobody.ExitCodeOf(), 4);
  EXPECT_THAT(nobody.Said(), HasSubstr("/nowhere"));
}

}  // namespace
}  // namespace ktstr
