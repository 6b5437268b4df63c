#include "capture/scenario/scenario_reader.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

namespace ktstr {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

Scenario Read(std::string_view text) {
  auto scenario = ParseScenario(text, "dir/test.toml");
  EXPECT_TRUE(scenario) << scenario.error().ToString();
  return scenario ? *std::move(scenario) : Scenario();
}

std::string Problem(std::string_view text) {
  auto scenario = ParseScenario(text, "dir/test.toml");
  return scenario ? "no problem" : scenario.error().ToString();
}

const TriggerSpec* Find(const Scenario& scenario, TriggerKind kind) {
  for (const TriggerSpec& spec : scenario.triggers) {
    if (spec.kind == kind) return &spec;
  }
  return nullptr;
}

// What toml++ asserts of a file does not hold of any.
TEST(ScenarioReader, WhatIsNoTomlIsToldWhereItIsNot) {
  for (const char* text :
       {"[", "[\n", "[ ", "[=]", "[#", "[.", "[[", "[[\n]]", "[ =", "a.", "a..b = 1", "= 1",
        "a = ", "a = [", "a = {", "a = \"", "a = 0x", "a = 1-", "[\x01"}) {
    EXPECT_THAT(Problem(text), HasSubstr("dir/test.toml")) << text;
  }
}

TEST(ScenarioReader, EveryCatalogEntryStandsAtItsKind) {
  for (size_t i = 0; i < kTriggerCatalog.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(kTriggerCatalog[i].kind), i) << kTriggerCatalog[i].name;
  }
}

TEST(ScenarioReader, AnEmptyFileIsAnIdleMachineForTwoSeconds) {
  const Scenario scenario = Read("");
  EXPECT_EQ(scenario.name, "test");
  EXPECT_EQ(scenario.kernel, "scx-small");
  ASSERT_EQ(scenario.phases.size(), 1u);
  EXPECT_EQ(scenario.phases[0].duration, seconds(2));
  EXPECT_NE(Find(scenario, TriggerKind::kPanic), nullptr);
  EXPECT_EQ(Find(scenario, TriggerKind::kStall), nullptr);
  EXPECT_EQ(Find(scenario, TriggerKind::kSilent)->over, seconds(20));
}

TEST(ScenarioReader, ReadsEverySection) {
  const Scenario scenario = Read(R"(
    [run]
    description = "all of it"
    timeout = "30s"
    seed = 7
    keep = "kernel"
    [machine]
    kernel = "debian-6.12"
    memory = "1G"
    cpus = 8
    cores = 2
    threads = 2
    numa_nodes = 2
    cmdline = "isolcpus=1"
    accel = "tcg"
    kaslr = false
    [scheduler]
    object = "vtime"
    variables = { slice_ns = 5, "vtime_ops.timeout_ms" = 3000 }
    [[cgroup]]
    path = "/a"
    files = { "cpu.weight" = 200 }
    [[worker]]
    kind = "spin"
    count = 3
    name = "hog"
    cgroup = "/a"
    nice = -5
    loops = 10
    [[phase]]
    name = "warm"
    duration = "100ms"
    [[phase]]
    name = "fault"
    start = ["hog"]
    set = { stall = 1 }
    [[phase.write]]
    path = "/proc/sysrq-trigger"
    text = "c"
    [[trigger]]
    on = "stall"
    over = "1.5s"
    [[trigger]]
    on = "silent"
    over = "3s"
    [[trigger]]
    on = "periodic"
    every = "500ms"
    most = 3
    [[expect]]
    worker = "hog"
    max_gap = "50ms"
    max_spread = 0.5
    [[expect]]
    sql = "SELECT 1"
    rows = "some"
    message = "there is one"
  )");
  EXPECT_EQ(scenario.description, "all of it");
  EXPECT_EQ(scenario.timeout, seconds(30));
  EXPECT_EQ(scenario.seed, 7);
  EXPECT_EQ(scenario.keep, Keep::kKernel);
  EXPECT_EQ(scenario.kernel, "debian-6.12");
  EXPECT_EQ(scenario.machine.memory_bytes, uint64_t{1} << 30);
  EXPECT_EQ(scenario.machine.cpus, 8);
  EXPECT_EQ(scenario.machine.cores, 2);
  EXPECT_EQ(scenario.machine.threads, 2);
  EXPECT_EQ(scenario.machine.numa_nodes, 2);
  EXPECT_EQ(scenario.machine.kernel_cmdline, "isolcpus=1");
  EXPECT_EQ(scenario.machine.accelerator, Accelerator::kTcg);
  EXPECT_FALSE(scenario.machine.kaslr);
  ASSERT_TRUE(scenario.scheduler);
  EXPECT_EQ(scenario.scheduler->object, "vtime");
  EXPECT_EQ(scenario.scheduler->variables->at("vtime_ops.timeout_ms"), 3000);
  ASSERT_EQ(scenario.cgroups.size(), 1u);
  EXPECT_EQ(scenario.cgroups[0].files->at("cpu.weight"), 200);
  ASSERT_EQ(scenario.workers.size(), 1u);
  const nlohmann::json parameters = {{"cgroup", "/a"}, {"nice", -5}, {"loops", 10}};
  EXPECT_EQ(scenario.workers[0], (WorkerSpec{"spin", 3, "hog", parameters}));
  ASSERT_EQ(scenario.phases.size(), 2u);
  EXPECT_EQ(scenario.phases[0].duration, milliseconds(100));
  EXPECT_THAT(scenario.phases[1].start, ElementsAre("hog"));
  EXPECT_EQ(scenario.phases[1].set->at("stall"), 1);
  EXPECT_EQ(scenario.phases[1].writes.at(0).path, "/proc/sysrq-trigger");
  EXPECT_EQ(Find(scenario, TriggerKind::kStall)->over, milliseconds(1500));
  EXPECT_TRUE(Find(scenario, TriggerKind::kStall)->fails);
  EXPECT_EQ(Find(scenario, TriggerKind::kSilent)->over, seconds(3));
  EXPECT_EQ(Find(scenario, TriggerKind::kPeriodic)->most, 3);
  EXPECT_FALSE(Find(scenario, TriggerKind::kPeriodic)->fails);
  ASSERT_EQ(scenario.expectations.size(), 2u);
  EXPECT_EQ(scenario.expectations[0].max_gap, milliseconds(50));
  EXPECT_FALSE(scenario.expectations[0].min_rounds_per_s);
  EXPECT_TRUE(scenario.expectations[1].wants_rows);
}

TEST(ScenarioReader, ALoaderAndItsSignalsAreRead) {
  const Scenario scenario = Read(R"(
    [scheduler]
    loader = ["scx_mine", "-s", "5"]
    files = { "/etc/mine" = "mine.conf" }
    root = "/"
    [[payload]]
    program = "/bin/true"
    name = "second"
    loads_scheduler = true
    [[phase]]
    name = "stopped"
    signal = { scheduler-loader = "STOP", second = "SIGINT" }
    [[trigger]]
    on = "phase"
    phase = "stopped"
    after = "300ms"
  )");
  EXPECT_THAT(scenario.scheduler->loader, ElementsAre("dir/scx_mine", "-s", "5"));
  EXPECT_EQ(scenario.scheduler->files.at(0).host, "dir/mine.conf");
  EXPECT_EQ(scenario.scheduler->root.host, "/");
  EXPECT_TRUE(scenario.payloads.at(0).loads_scheduler);
  ASSERT_EQ(scenario.phases.at(0).signals.size(), 2u);
  EXPECT_EQ(scenario.phases[0].signals[0].number, SIGSTOP);
  EXPECT_EQ(scenario.phases[0].signals[1].number, SIGINT);
  const TriggerSpec* phase = Find(scenario, TriggerKind::kPhase);
  ASSERT_NE(phase, nullptr);
  EXPECT_EQ(phase->phase, "stopped");
  EXPECT_EQ(phase->over, milliseconds(300));
  EXPECT_FALSE(phase->fails);
}

struct Mistake {
  const char* text;
  const char* problem;
};

class ScenarioMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(ScenarioMistakes, AreNamedWithTheirLine) {
  EXPECT_EQ(Problem(GetParam().text), std::string("dir/test.toml:") + GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    All, ScenarioMistakes,
    testing::Values(
        Mistake{"\n[machin]\n", "2: unknown key in the file: 'machin'; did you mean 'machine'?"},
        Mistake{"[machine]\ncpus = 2\nmemroy = 1",
                "3: unknown key in [machine]: 'memroy'; did you mean 'memory'?"},
        Mistake{"[machine]\ncpus = \"two\"",
                "2: 'cpus' of [machine] must be a whole number from 1 to 255"},
        Mistake{"[machine]\ncpus = 6\ncores = 4",
                "2: 6 CPUs cannot be laid out as sockets of 4 cores with 1 threads each"},
        Mistake{
            "[machine]\nmemory = \"1Q\"",
            "2: 'memory' of [machine]: '1Q' is no size: write bytes, or 512M, 4 GiB and the like"},
        Mistake{"[[worker]]\nkind = \"spinn\"",
                "2: unknown worker kind 'spinn'; did you mean 'spin'?"},
        Mistake{"[[worker]]\ncount = 2", "1: [[worker]] needs 'kind'"},
        Mistake{"[[worker]]\nkind = \"spin\"\nus = 3",
                "3: unknown key in [[worker]]: 'us'; did you mean 'cpus'?"},
        Mistake{"[[worker]]\nkind = \"spin\"\npolicy = \"fifa\"",
                "3: unknown word for 'policy' of [[worker]]: 'fifa'; did you mean 'fifo'?"},
        Mistake{"[[trigger]]\non = \"stal\"\nover = \"1s\"",
                "2: unknown word for 'on' of [[trigger]]: 'stal'; did you mean 'stall'?"},
        Mistake{"[[trigger]]\non = \"stall\"", "1: [[trigger]] needs 'over'"},
        Mistake{"[[trigger]]\non = \"stall\"\nover = \"fast\"",
                "3: 'over' of [[trigger]]: 'fast' is no duration: write 250ms, 1.5s, 2min and the "
                "like"},
        Mistake{"[[worker]]\nkind = \"spin\"\n[[phase]]\nstart = [\"spim\"]",
                "3: unknown worker or payload 'spim'; did you mean 'spin'?"},
        Mistake{"[[phase]]\nset = { stall = 1 }",
                "1: 'set' of [[phase]] needs a [scheduler] with an 'object'"},
        Mistake{"[[expect]]\nmessage = \"x\"", "1: [[expect]] needs either a 'worker' or 'sql'"},
        Mistake{"[[payload]]\nprogram = \"./no-such\"", "2: there is no program 'dir/./no-such'"},
        Mistake{"[scheduler]\nvariables = {}",
                "1: [scheduler] needs either an 'object' or a 'loader'"}));

TEST(ScenarioReader, SocketsCountCpusToo) {
  const Scenario scenario = Read("[machine]\nsockets = 2\ncores = 3\nthreads = 2");
  EXPECT_EQ(scenario.machine.cpus, 12);
  EXPECT_EQ(Read("[machine]\nsockets = 2\ncpus = 2").machine.cpus, 2);
  EXPECT_THAT(Problem("[machine]\nsockets = 2\ncpus = 3"),
              HasSubstr("3 CPUs cannot be laid out as 2 sockets of 1 cores with 1 threads each"));
}

TEST(ScenarioReader, TwoWorkersOfOneNameAreRefused) {
  EXPECT_THAT(Problem("[[worker]]\nkind = \"spin\"\n[[worker]]\nkind = \"spin\"\n"),
              HasSubstr("two workers or payloads are called 'spin'"));
}

TEST(ScenarioReader, BrokenTomlIsToldWithItsLine) {
  EXPECT_THAT(Problem("[run]\nduration = = 3"), testing::StartsWith("dir/test.toml:2: "));
}

TEST(ScenarioReader, ATriggerCanStandOnACommandLine) {
  const auto stall = ParseTrigger("stall,over=1.5s");
  ASSERT_TRUE(stall) << stall.error().ToString();
  EXPECT_EQ(stall->kind, TriggerKind::kStall);
  EXPECT_EQ(stall->over, std::chrono::milliseconds(1500));
  const auto write = ParseTrigger("write,symbol=panic_cpu+4,size=8");
  ASSERT_TRUE(write) << write.error().ToString();
  EXPECT_EQ(write->symbol, "panic_cpu+4");
  EXPECT_EQ(write->size, 8);
  EXPECT_THAT(ParseTrigger("stal,over=1s").error().message(), HasSubstr("did you mean 'stall'?"));
  EXPECT_THAT(ParseTrigger("stall").error().message(), HasSubstr("needs 'over'"));
  EXPECT_THAT(ParseTrigger("").error().message(), HasSubstr("unknown word"));
  EXPECT_THAT(ParseTrigger("stall,over=1s\xff").error().message(), HasSubstr("is no UTF-8"));
  EXPECT_THAT(ParseTrigger("stall,,=").error().message(), HasSubstr("NAME,KEY=VALUE"));
  EXPECT_FALSE(DefaultTriggers().empty());
}

TEST(ScenarioReader, AMissingFileIsToldByName) {
  const auto scenario = ReadScenario("no-such.toml");
  ASSERT_FALSE(scenario);
  EXPECT_EQ(scenario.error().ToString(), "cannot read 'no-such.toml': No such file or directory");
}

}  // namespace
}  // namespace ktstr
