// Every trigger that no faulty scheduler of fixtures/scenarios sets off.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

#include "libcore/archive/reader.h"
#include "run_program.h"

namespace ktstr {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

struct Case {
  const char* trigger;
  const char* scenario;
  const char* detail;  // a part of it
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.trigger; }

class TriggerGuestTest : public testing::TestWithParam<Case> {};

TEST_P(TriggerGuestTest, EndsTheTestAndIsNamedInTheArchive) {
  const synthetic::TemporaryDirectory directory;
  const fs::path script = directory / "kill-all";
  std::ofstream(script) << "#!/bin/sh\nkill -9 -1\n";
  fs::permissions(script, fs::perms::owner_all);
  const fs::path scenario = directory / "test.toml";
  std::ofstream(scenario) << GetParam().scenario;
  RunProgram run(directory, {scenario.string(), "--keep", "kernel"});
  EXPECT_EQ(run.Wait(), 1) << run.said();
  const auto reader = ArchiveReader::Open(run.out() / "test.kts");
  ASSERT_TRUE(reader) << run.said();
  EXPECT_EQ((*reader)->metadata().trigger, GetParam().trigger);
  EXPECT_THAT((*reader)->metadata().trigger_detail, HasSubstr(GetParam().detail));
  EXPECT_EQ((*reader)->metadata().kept, "kernel");
}

INSTANTIATE_TEST_SUITE_P(
    All, TriggerGuestTest,
    testing::Values(Case{"watchdog", R"(
[scheduler]
object = "vtime"
variables = { "vtime_ops.timeout_ms" = 4000 }
[[worker]]
kind = "spin"
count = 4
[[phase]]
duration = "20s"
set = { stall = 1 }
[[trigger]]
on = "watchdog"
part = 0.25
)",
                         "of the 4.000 s that sched_ext's watchdog gives it"},
                    // No error has told why: the kernel itself would say it later.
                    Case{"scheduler-exit", R"(
[scheduler]
object = "vtime"
[[phase]]
duration = "20s"
[[phase.write]]
path = "/proc/sysrq-trigger"
text = "S"
)",
                         "the scheduler ktstr_vtime ends: disabled by sysrq-S"},
                    Case{"machine-end", R"(
[[phase]]
duration = "20s"
[[phase.write]]
path = "/proc/sysrq-trigger"
text = "b"
)",
                         "the machine ended by itself (SHUTDOWN: guest-reset)"},
                    Case{"time-out", R"(
[run]
duration = "1min"
timeout = "1s"
[[worker]]
kind = "sleep"
)",
                         "the test took longer than its 'timeout'"},
                    Case{"worker-exit", R"(
[[worker]]
kind = "pipe"
[[payload]]
program = "kill-all"
[[phase]]
duration = "20s"
)",
                         "the worker pipe was killed by signal 9"},
                    Case{"silent", R"(
[machine]
kernel = "scx-distribution"
cpus = 1
[[phase]]
duration = "40s"
[[phase.write]]
path = "/sys/kernel/debug/provoke-crash/DIRECT"
text = "HARDLOCKUP"
[[trigger]]
on = "silent"
over = "3s"
)",
                         "the guest's init has not answered for"},
                    // Of one CPU: another one would move the clock by waking tasks there.
                    Case{"clock-stuck", R"(
[machine]
kernel = "scx-distribution"
cpus = 1
[[phase]]
duration = "40s"
[[phase.write]]
path = "/sys/kernel/debug/provoke-crash/DIRECT"
text = "HARDLOCKUP"
[[trigger]]
on = "clock-stuck"
over = "800ms"
)",
                         "has stood still for"}),
    [](const testing::TestParamInfo<Case>& info) {
      std::string name = info.param.trigger;
      std::erase(name, '-');
      return name;
    });

}  // namespace
}  // namespace ktstr
