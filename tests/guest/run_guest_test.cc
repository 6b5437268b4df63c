// ktstr-run as a user runs it: verdicts, what it leaves behind, and what it does not.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include "guest_kernels.h"
#include "libcore/archive/reader.h"
#include "libcore/ops/json.h"
#include "replay/frozen_machine.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr char kMachine[] = "[machine]\nkernel = \"scx-small\"\n";

TEST(RunGuestTest, APassingTestLeavesNoArchive) {
  const TemporaryDirectory directory;
  const fs::path junit = directory / "junit.xml";
  RunProgram run(directory,
                 {FixtureScenario("healthy").string(), FixtureScenario("eevdf-fair").string(),
                  "--jobs", "2", "--junit", junit.string()});
  EXPECT_EQ(run.Wait(), 0) << run.said();
  EXPECT_THAT(run.said(), AllOf(HasSubstr("2 of 2 passed"), Not(HasSubstr("kept"))));
  EXPECT_THAT(run.Files(".kts"), IsEmpty());
  EXPECT_THAT(run.Files(".index"), IsEmpty());
  EXPECT_THAT(Read(junit), AllOf(HasSubstr("tests=\"2\" failures=\"0\" errors=\"0\""),
                                 HasSubstr("name=\"eevdf-fair\"")));
  EXPECT_THAT(Read(run.out() / "healthy.log"), HasSubstr("spin-5"));
}

// A variable of the environment, for as long as this lives.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    Set(value);
  }
  ~Variable() { Set(old_ ? old_->c_str() : nullptr); }

 private:
  void Set(const char* value) {
    if (value != nullptr) setenv(name_, value, 1);
    if (value == nullptr) unsetenv(name_);
  }

  const char* name_;
  std::optional<std::string> old_;
};

TEST(RunGuestTest, AMachineThatHasBootedBeforeIsWokenUnlessItIsToBeCold) {
  const TemporaryDirectory directory;
  const std::string kernel = SchedExtKernel("small");
  const std::string place = directory / "cache";
  const Variable cache("XDG_CACHE_HOME", place.c_str());
  // It is about TCG: no machines of KVM are kept.
  const Variable accelerator("KTSTR_TEST_ACCEL", nullptr);
  const fs::path scenario = Write(directory / "short.toml", R"(
[run]
duration = "300ms"
[scheduler]
object = "vtime"
[[worker]]
kind = "spin"
count = 2
[[expect]]
worker = "spin"
min_rounds_per_s = 1
[[expect]]
sql = "SELECT 1 FROM scx WHERE enable_state = 'enabled'"
rows = "some"
)");
  const auto said = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {scenario.string(), "--kernel", kernel, "--accel", "tcg"});
    RunProgram run(directory, more);
    EXPECT_EQ(run.Wait(), 0) << run.said() << Read(run.out() / "short.log");
    return run.said();
  };
  constexpr char kWarm[] = "from a warmed-up state";
  EXPECT_THAT(said({}), Not(HasSubstr(kWarm)));
  EXPECT_THAT(said({}), HasSubstr(kWarm));
  EXPECT_THAT(said({"--cold"}), Not(HasSubstr(kWarm)));
  // Another machine is another state.
  std::ofstream(scenario, std::ios::app) << "[machine]\nmemory = \"300M\"\n";
  EXPECT_THAT(said({}), Not(HasSubstr(kWarm)));
  EXPECT_THAT(said({}), HasSubstr(kWarm));
  // One that is no use costs a boot, and no more.
  for (const auto& entry : fs::directory_iterator(directory / "cache" / "ktstr" / "warm")) {
    std::ofstream(entry.path()) << "no archive";
  }
  EXPECT_THAT(said({}), Not(HasSubstr(kWarm)));
  EXPECT_THAT(said({}), HasSubstr(kWarm));
}

TEST(RunGuestTest, AScenarioGoesOnFromAFrozenMachine) {
  const TemporaryDirectory directory;
  const fs::path first = Write(directory / "first.toml", fmt::format(R"({}
[run]
duration = "700ms"
[scheduler]
object = "vtime"
[[worker]]
kind = "spin"
count = 3
[[trigger]]
on = "periodic"
every = "400ms"
most = 1
)",
                                                                     kMachine));
  RunProgram freezes(directory, {first.string()});
  ASSERT_EQ(freezes.Wait(), 0) << freezes.said();
  const fs::path frozen = directory / "frozen.kts";
  ASSERT_EQ(freezes.Files(".kts").size(), 1u);
  fs::rename(freezes.out() / freezes.Files(".kts").front(), frozen);

  const fs::path second = Write(directory / "second.toml", fmt::format(R"({}
[run]
duration = "500ms"
[scheduler]
object = "vtime"
[[worker]]
kind = "spin"
count = 3
[[worker]]
kind = "sleep"
[[expect]]
worker = "spin"
min_rounds_per_s = 1
[[expect]]
worker = "sleep"
min_rounds_per_s = 1
[[expect]]
message = "as many spinners as before"
sql = "SELECT count(*) AS n FROM task WHERE comm LIKE 'spin-%' GROUP BY 1=1 HAVING n <> 3"
)",
                                                                       kMachine));
  RunProgram goes_on(directory, {second.string(), "--resume", frozen.string()});
  EXPECT_EQ(goes_on.Wait(), 0) << goes_on.said() << Read(goes_on.out() / "second.log");
  EXPECT_THAT(goes_on.said(), HasSubstr("from " + frozen.string()));
}

TEST(RunGuestTest, AnExpectationThatDoesNotHoldKeepsTheMachine) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(directory / "wish.toml", fmt::format(R"({}
[run]
duration = "300ms"
[[worker]]
kind = "spin"
count = 2
[[expect]]
worker = "spin"
max_gap = "1us"
[[expect]]
message = "nobody spins"
sql = "SELECT comm FROM task WHERE comm LIKE 'spin-%' ORDER BY comm"
[[expect]]
message = "init is there"
sql = "SELECT 1 FROM task WHERE pid = 1"
rows = "some"
)",
                                                                       kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.said(), AllOf(HasSubstr("spin-0 did nothing for"),
                                HasSubstr(R"(nobody spins: 2 rows, the first {"comm":"spin-0"})"),
                                Not(HasSubstr("init is there"))));
  ASSERT_THAT(run.Files(".kts"), ElementsAre("wish.kts"));
  const auto reader = ArchiveReader::Open(run.out() / "wish.kts");
  ASSERT_TRUE(reader);
  EXPECT_EQ((*reader)->metadata().trigger, "expectation");
  EXPECT_THAT((*reader)->metadata().trigger_detail, HasSubstr("nobody spins: 2 rows"));
}

TEST(RunGuestTest, AQueryThatIsNoneIsAnError) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(
      directory / "typo.toml",
      fmt::format("{}[run]\nduration = \"10ms\"\n[[expect]]\nsql = \"SELECT com FROM task\"\n",
                  kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 4);
  EXPECT_THAT(run.said(), AllOf(HasSubstr("typo.toml:5: the query of this [[expect]]"),
                                HasSubstr("no such column: com")));
  EXPECT_THAT(run.Files(".kts"), IsEmpty());
}

// Triggers that do not end a test: each keeps the machine, which goes on as if nothing had been.
// What was woken may have had the fault in it.
TEST(RunGuestTest, AfterAFaultOfTcgAMachineIsBootedAnew) {
  const TemporaryDirectory directory;
  const std::string place = directory / "cache";
  const std::string kernel = SchedExtKernel("small");
  const Variable cache("XDG_CACHE_HOME", place.c_str());
  const Variable accelerator("KTSTR_TEST_ACCEL", nullptr);
  Write(directory / "says", "#!/bin/sh\necho 'int3: 0000 [#1]' > /dev/console\n");
  const std::string begin = R"(
[run]
duration = "20s"
[[payload]]
program = "says"
[[phase]]
until = "says"
)";
  const fs::path scenario = Write(directory / "short.toml", begin);
  const auto run = [&] {
    RunProgram program(directory, {scenario.string(), "--kernel", kernel, "--accel", "tcg"});
    EXPECT_EQ(program.Wait(), 0) << program.said();
    EXPECT_THAT(program.said(), Not(HasSubstr("from a warmed-up state")));
    return Read(program.out() / "short.log");
  };
  EXPECT_THAT(run(), HasSubstr("booting it anew"));
  // Now there is a state to begin from; the machine that is run again does not.
  const std::string log = run();
  const size_t again = log.find("booting it anew");
  ASSERT_NE(again, log.npos) << log;
  EXPECT_THAT(log.substr(0, again), HasSubstr("that has booted"));
  EXPECT_THAT(log.substr(again), Not(HasSubstr("that has booted")));
}

TEST(RunGuestTest, WhatDoesNotFailIsKeptAndGoesOn) {
  const TemporaryDirectory directory;
  Write(directory / "ask", "#!/bin/sh\necho because > /ktstr/capture\nexec sleep 1\n");
  const fs::path scenario = Write(directory / "watched.toml", fmt::format(R"({}
[run]
duration = "20s"
[[worker]]
kind = "fork-exit"
[[payload]]
program = "ask"
files = {{ "/bin/sleep" = "/bin/sleep" }}
[[phase]]
until = "ask"
[[trigger]]
on = "periodic"
every = "400ms"
most = 2
[[trigger]]
on = "reached"
symbol = "__x64_sys_exit_group"
fails = false
most = 2
[[trigger]]
on = "write"
symbol = "total_forks"
size = 8
fails = false
most = 1
[[expect]]
worker = "fork-exit"
min_rounds_per_s = 1
)",
                                                                          kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 0) << run.said();
  const auto count = [&](const std::string& trigger) {
    size_t found = 0;
    for (const std::string& name : run.Files(".kts")) {
      const auto reader = ArchiveReader::Open(run.out() / name);
      found += reader && (*reader)->metadata().trigger == trigger;
    }
    return found;
  };
  EXPECT_EQ(count("periodic"), 2u) << run.said();
  EXPECT_EQ(count("reached"), 2u);
  EXPECT_EQ(count("write"), 1u);
  EXPECT_EQ(count("request"), 1u);
  for (const std::string& name : run.Files(".kts")) {
    if (name.find("reached") == std::string::npos) continue;
    // Some CPU is at that very instruction.
    EXPECT_THAT(Rows(run.out() / name,
                     "SELECT count(*) FROM stack_frame WHERE depth = 0 AND offset = 0 AND symbol = "
                     "'__x64_sys_exit_group'"),
                ElementsAre("1"));
  }
}

// What a program in the guest asks its host for is answered between two looks at the machine; the
// breakpoints that watch it are not in the answer.
TEST(RunGuestTest, AProgramInTheGuestReadsItsKernel) {
  const TemporaryDirectory directory;
  Write(directory / "ask", R"(#!/bin/sh
for symbol in add_taint no_such_symbol; do
  /ktstr/ops <<END
{"entries":[{"target":{"symbol":"$symbol"},"value":{"bytes":16}}]}
END
done
exit 0
)");
  const fs::path scenario = Write(directory / "asks.toml", fmt::format(R"({}
[run]
duration = "20s"
[[worker]]
kind = "spin"
[[payload]]
program = "ask"
[[phase]]
until = "ask"
[[expect]]
sql = "SELECT 1"
)",
                                                                       kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1) << run.said();
  const auto machine = FrozenMachine::Open(run.out() / "asks.kts");
  ASSERT_TRUE(machine) << machine.error().ToString() << run.said();
  std::array<std::byte, 16> text;
  const auto kernel = (*machine)->Kernel();
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const auto address = (*kernel)->symbol_kva("add_taint");
  ASSERT_TRUE(address && (*kernel)->Read(*address, text));
  OpReply read = {.success = true, .read_values = {BytesValue{{text.begin(), text.end()}}}};
  EXPECT_THAT(Read(run.out() / "asks.log"),
              AllOf(HasSubstr(ToJson(read)), HasSubstr("\"code\":\"symbol-unknown\"")));
}

// The kernel prints for a while before the panic's breakpoint is reached (here a while longer, by
// printk_delay); the test's time is up before that. The program polls for the panic's first words
// from the other CPU, where init is then too: who waits for them is never woken, the CPU that
// panics takes no interrupts.
// Records of /dev/kmsg are read whole or not at all, so no shell's `read` can.
TEST(RunGuestTest, APanicThatIsStillPrintingAtTheEndFailsTheTest) {
  const TemporaryDirectory directory;
  Write(directory / "crash", R"(#!/usr/bin/perl
sub say_to { open(my $file, ">", $_[0]) or die "$_[0]: $!"; syswrite($file, $_[1]); close($file); }
sub put { syscall(203, $_[0], 8, pack("Q", 1 << $_[1])) >= 0 or die $!; }  # sched_setaffinity
opendir(TASKS, "/proc/1/task") or die $!;
put($_ + 0, 1) for grep { /^\d/ } readdir(TASKS);
say_to("/proc/sys/kernel/printk_delay", "100");
if (!fork) { put(0, 0); say_to("/proc/sysrq-trigger", "c"); }
put(0, 1);
sysopen(LOG, "/dev/kmsg", 04000) or die $!;  # O_RDONLY | O_NONBLOCK
while ($record !~ /Kernel panic/) { sysread(LOG, $record, 8192); }
)");
  const fs::path scenario = Write(directory / "late.toml", fmt::format(R"({}
[run]
duration = "20s"
[[payload]]
program = "crash"
[[phase]]
until = "crash"
)",
                                                                       kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1) << run.said();
  EXPECT_THAT(run.said(), HasSubstr("panic: Kernel panic - not syncing: sysrq triggered crash"));
  EXPECT_THAT(Read(run.out() / "late.log"), HasSubstr("the kernel is in trouble"));
}

TEST(RunGuestTest, MistakesCostNoBoot) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(
      directory / "wrong.toml", "[machine]\nkernel = \"scx-smal\"\n[[worker]]\nkind = \"spin\"\n");
  RunProgram kernel(directory, {scenario.string()});
  EXPECT_EQ(kernel.Wait(), 2);
  EXPECT_THAT(
      kernel.said(),
      AllOf(StartsWith("ktstr-run: "),
            HasSubstr("wrong.toml:2: unknown kernel 'scx-smal'; did you mean 'scx-small'?")));
  RunProgram missing(directory, {"no-such.toml"});
  EXPECT_EQ(missing.Wait(), 2);
  EXPECT_EQ(missing.said(), "ktstr-run: cannot read 'no-such.toml': No such file or directory\n");
  Write(scenario, "[scheduler]\nobject = \"vtim\"\n");
  RunProgram scheduler(directory, {scenario.string()});
  EXPECT_EQ(scheduler.Wait(), 2);
  EXPECT_THAT(scheduler.said(),
              HasSubstr("wrong.toml:1: unknown scheduler 'vtim'; did you mean 'vtime'?"));
}

TEST(RunGuestTest, CtrlCKeepsWhatRuns) {
  const TemporaryDirectory directory;
  const fs::path scenario =
      Write(directory / "long.toml", fmt::format("{}[run]\nduration = \"90s\"\n", kMachine));
  RunProgram run(directory, {scenario.string(), "--repeat", "2"});
  ASSERT_TRUE(run.AwaitText("long.log", "run for 90.000 s")) << run.said();
  run.Signal(SIGINT);
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.said(), AllOf(HasSubstr("long                     interrupted"),
                                HasSubstr("long@2                   interrupted"),
                                HasSubstr("it was not begun"), HasSubstr("0 of 2 passed")));
  ASSERT_THAT(run.Files(".kts"), ElementsAre("long.kts"));
  EXPECT_EQ(ArchiveReader::Open(run.out() / "long.kts").value()->metadata().trigger, "interrupt");
}

TEST(RunGuestTest, TwoRunsInOneDirectoryAreRefused) {
  const TemporaryDirectory directory;
  const fs::path scenario =
      Write(directory / "long.toml", fmt::format("{}[run]\nduration = \"90s\"\n", kMachine));
  RunProgram first(directory, {scenario.string(), "--cold"});
  ASSERT_TRUE(first.AwaitText("long.log", "booting"));
  RunProgram second(directory, {scenario.string()});
  EXPECT_EQ(second.Wait(), 4);
  EXPECT_THAT(second.said(), HasSubstr("another ktstr-run writes to"));
  first.Kill();
}

// The processes whose command line has `mark` in it.
size_t ProcessesWith(const std::string& mark) {
  size_t found = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const std::string line = Read(entry.path() / "cmdline");
    found += line.starts_with("qemu") && line.find(mark) != std::string::npos;
  }
  return found;
}

// At any moment: while it boots, while it works, while it writes the archive.
TEST(RunGuestTest, KillLeavesNothingBehind) {
  int number = 0;
  for (const char* moment : {"booting", "loading the scheduler", "fault for", "stall:", "stall:"}) {
    const TemporaryDirectory directory;
    const std::string mark = fmt::format("ktstr.test={}.{}", getpid(), ++number);
    std::string text = Read(FixtureScenario("stall"));
    text.replace(text.find("kernel ="), 0, fmt::format("cmdline = \"{}\"\n", mark));
    RunProgram run(directory, {Write(directory / "stall.toml", text).string(), "--cold"});
    ASSERT_TRUE(run.AwaitText("stall.log", moment)) << run.said();
    // The writing takes some 150 ms: once at its beginning, once in the middle.
    if (number == 5) std::this_thread::sleep_for(milliseconds(60));
    run.Kill();
    // The kernel ends QEMU a moment after its parent.
    for (const Deadline deadline = After(milliseconds(10'000));
         ProcessesWith(mark) > 0 && PollTimeout(deadline) > 0;) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_EQ(ProcessesWith(mark), 0u) << moment;
    std::vector<std::string> left;
    for (const auto& entry : fs::directory_iterator(run.out())) {
      left.push_back(entry.path().filename().string());
    }
    // The console is QEMU's, which need not have begun.
    EXPECT_THAT(left, testing::Contains("stall.log")) << moment;
    EXPECT_THAT(left, testing::IsSubsetOf({"stall.log", "stall.console"})) << moment;
  }
}

}  // namespace
}  // namespace ktstr
