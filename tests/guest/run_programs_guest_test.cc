// ktstr-run with the programs and schedulers of its users: loaders, payloads, and what is done to
// them.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "libcore/archive/reader.h"
#include "libcore/ops/json.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using synthetic::TemporaryDirectory;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kMachine[] = "[machine]\nkernel = \"scx-small\"\n";

TEST(RunProgramsGuestTest, AProgramThatFailsFailsTheTest) {
  const TemporaryDirectory directory;
  Write(directory / "broken", "#!/bin/sh\necho oh dear\nexit 3\n");
  const fs::path scenario = Write(directory / "program.toml",
                                  fmt::format("{}[[payload]]\nprogram = \"broken\"\n", kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.said(), HasSubstr("payload-exit: the program broken ended with exit status 3"));
  EXPECT_THAT(Rows(run.out() / "program.kts", "SELECT value FROM tag WHERE key = 'trigger.output'"),
              ElementsAre("oh dear\\n"));
}

// The loader finds its files, libraries and the kernel's configuration in a root of its own; init
// stands above its scheduler; time is counted from the phases and not from the boot.
TEST(RunProgramsGuestTest, AUsersOwnLoaderBringsItsLibraries) {
  const TemporaryDirectory directory;
  Write(directory / "look", R"(#!/bin/sh
for file in /boot/config-*; do read -r line < "$file" || exit 1; done
read -r state < /sys/kernel/sched_ext/state
echo "configured, $state"
)");
  const fs::path scenario =
      Write(directory / "loader.toml",
            fmt::format(R"({}
[scheduler]
loader = ["{}", "/vtime.bpf.o"]
files = {{ "/vtime.bpf.o" = "{}/vtime.bpf.o" }}
root = "/"
[[payload]]
program = "look"
root = "/"
[[worker]]
kind = "spin"
[[phase]]
name = "first"
duration = "20s"
start = ["look"]
until = "look"
[[phase]]
name = "second"
duration = "500ms"
[[trigger]]
on = "periodic"
every = "10ms"
most = 1
[[trigger]]
on = "phase"
phase = "second"
after = "100ms"
[[expect]]
message = "the loader's scheduler has the spinner"
sql = "SELECT 1 FROM task, scx WHERE comm = 'spin-0' AND class = 'ext' AND ops_name = 'ktstr_vtime'"
rows = "some"
[[expect]]
message = "init stands above it"
sql = "SELECT 1 FROM task WHERE pid = 1 AND class = 'rt'"
rows = "some"
)",
                        kMachine, KTSTR_SCHEDULER_LOADER, KTSTR_SCHEDULER_DIR));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 0) << run.said();
  EXPECT_THAT(Read(run.out() / "loader.log"), HasSubstr("configured, enabled"));
  ASSERT_THAT(run.Files(".kts"), ElementsAre("loader.periodic-1.kts", "loader.phase-2.kts"))
      << run.said();
  const auto periodic = ArchiveReader::Open(run.out() / "loader.periodic-1.kts");
  ASSERT_TRUE(periodic);
  EXPECT_EQ((*periodic)->metadata().tags.at("phase"), "first");
  const auto kept = ArchiveReader::Open(run.out() / "loader.phase-2.kts");
  ASSERT_TRUE(kept);
  EXPECT_EQ((*kept)->metadata().trigger_detail, "100 ms after second began");
  EXPECT_EQ((*kept)->metadata().tags.at("phase"), "second");
}

TEST(RunProgramsGuestTest, ALoaderThatFailsIsToldWithItsLastWords) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(directory / "loader.toml",
                                  fmt::format("{}[scheduler]\nloader = [\"{}\", \"/none.bpf.o\"]\n",
                                              kMachine, KTSTR_SCHEDULER_LOADER));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1) << run.said();
  const std::string why = "failed to open /none.bpf.o: No such file or directory";
  EXPECT_THAT(
      run.said(),
      AllOf(HasSubstr("the program scheduler-loader ended with exit status 2: "), HasSubstr(why)));
  EXPECT_THAT(Read(run.out() / "loader.log"), AllOf(HasSubstr("its output:\n"), HasSubstr(why)));
}

// A payload may be the loader, too: what comes after it finds its scheduler enabled.
TEST(RunProgramsGuestTest, APayloadThatLoadsASchedulerIsWaitedForAndSignalled) {
  const TemporaryDirectory directory;
  Write(directory / "ends", "#!/bin/sh\necho gave up\nexit 0\n");
  const std::string text = R"({}
[[payload]]
program = "{}"
name = "loads"
arguments = ["/vtime.bpf.o"]
files = {{ "/vtime.bpf.o" = "{}/vtime.bpf.o" }}
loads_scheduler = true
[[phase]]
name = "enabled"
duration = "100ms"
start = ["loads"]
[[phase]]
name = "ended"
duration = "20s"
signal = {{ loads = "TERM" }}
)";
  const fs::path scenario =
      Write(directory / "payload.toml",
            fmt::format(fmt::runtime(text), kMachine, KTSTR_SCHEDULER_LOADER, KTSTR_SCHEDULER_DIR));
  const fs::path gives_up = Write(directory / "gives-up.toml",
                                  fmt::format(fmt::runtime(text), kMachine,
                                              (directory / "ends").string(), KTSTR_SCHEDULER_DIR));
  RunProgram run(directory, {scenario.string(), gives_up.string()});
  EXPECT_EQ(run.Wait(), 1) << run.said();
  EXPECT_THAT(run.said(), HasSubstr("payload-exit: the program loads was killed by signal 15"));
  EXPECT_EQ(ArchiveReader::Open(run.out() / "payload.kts").value()->metadata().tags.at("phase"),
            "ended");
  EXPECT_THAT(run.said(), HasSubstr("scheduler-load: the program loads ended, and no scheduler is "
                                    "enabled: gave up"));
}

TEST(RunProgramsGuestTest, ASchedulerThatCannotBeLoadedFailsTheTest) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(
      directory / "load.toml",
      fmt::format("{}[scheduler]\nobject = \"vtime\"\nvariables = {{ slice_n = 1 }}\n", kMachine));
  RunProgram run(directory, {scenario.string()});
  EXPECT_EQ(run.Wait(), 1);
  EXPECT_THAT(run.said(),
              HasSubstr("scheduler-load: the guest refuses 'scheduler-load': unknown variable "
                        "'slice_n'; did you mean 'slice_ns'?"));
  EXPECT_EQ(ArchiveReader::Open(run.out() / "load.kts").value()->metadata().trigger,
            "scheduler-load");
}

// A stalled scheduler runs nobody who writes for the scenario; the write is done all the same.
TEST(RunProgramsGuestTest, APhaseWritesWhileTheSchedulerStalls) {
  const TemporaryDirectory directory;
  const fs::path scenario = Write(directory / "stalled.toml", fmt::format(R"({}
[scheduler]
object = "vtime"
[[worker]]
kind = "spin"
count = 4
[[phase]]
name = "work"
duration = "200ms"
[[phase]]
name = "stalled"
duration = "300ms"
set = {{ stall = 1 }}
[[phase]]
name = "write"
duration = "400ms"
[[phase.write]]
path = "/dev/kmsg"
text = "written for a scenario"
[[trigger]]
on = "phase"
phase = "write"
after = "300ms"
)",
                                                                          kMachine));
  RunProgram run(directory, {scenario.string()});
  run.Wait();
  EXPECT_THAT(Rows(run.out() / "stalled.phase-1.kts",
                   "SELECT text FROM log WHERE text LIKE '%for a scenario'"),
              ElementsAre("written for a scenario"))
      << run.said();
}

}  // namespace
}  // namespace ktstr
