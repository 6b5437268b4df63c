#include "capture/watch/sample_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "capture/watch/sample_json.h"
#include "libcore/base/safe_text.h"

namespace ktstr {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

// A CPU that runs something, one of which nothing is known, and one that would not hold still.
WatchSample Sample() {
  WatchSample sample;
  sample.release = "6.12.0";
  sample.uptime_ns = 12'345'678'901;
  sample.run_state = "running";
  sample.cpus = {CpuSample{.cpu = 0,
                           .online = true,
                           .pid = 136,
                           .comm = "spin-1",
                           .task_class = "ext",
                           .nr_running = 3,
                           .cfs = 0,
                           .rt = 1,
                           .dl = 0,
                           .scx = 2,
                           .local_dsq = 1,
                           .nr_switches = 5,
                           .switches_per_s = 99.6,
                           .clock_ns = 7,
                           .clock_behind_ns = 1'250'000,
                           .scx_flags = Hex(0),
                           .scx_flag_names = ""},
                 CpuSample{.cpu = 1}, CpuSample{.cpu = 10, .pid = 0, .torn = true}};
  sample.scx.emplace();
  sample.scx->ops_name = "layered";
  sample.scx->enable_state = "enabled";
  sample.scx->oldest = WaitingTask{137, "spin-2", 0, 1, 40};
  sample.scx->watchdog_margin_ms = 29'960;
  sample.scx->dsqs = {{.kind = "global", .id = Hex(uint64_t{1} << 63), .node = 0, .nr = 0},
                      {.kind = "user", .id = Hex(0x42), .nr = 3},
                      {.kind = "global", .node = 1, .nr = std::nullopt}};
  return sample;
}

TEST(SampleTextTest, ShowsOneLinePerCpuBelowWhatConcernsAll) {
  EXPECT_THAT(
      ToLines(Sample()),
      ElementsAre(
          "guest      Linux 6.12.0, up 12.346 s, running", "sched_ext  layered enabled",
          "waiting    spin-2 (137) on CPU 0 for 40 ms; the watchdog strikes in 29960 ms",
          "queues     0x42: 3, global of node 1: ?",
          " cpu  pid  running  class  queued  cfs  rt  dl  scx  local  switch/s  clock age  scx "
          "flags",
          "   0  136  spin-1   ext         3    0   1   0    2      1       100     1.2 ms  -",
          "   1    ?  ?        ?           ?    ?   ?   ?    ?      ?         ?          ?  ?",
          "~ 10    0  ?        ?           ?    ?   ?   ?    ?      ?         ?          ?  ?"));
}

TEST(SampleTextTest, EachSchedulerOfSeveralHasItsOwnLineOfWhoWaits) {
  WatchSample sample = Sample();
  sample.scx->schedulers = {{.ops_name = "layered",
                             .oldest = WaitingTask{137, "spin-2", 0, 1, 40},
                             .watchdog_margin_ms = 29'960},
                            {.ops_name = "qmap", .cgroup = "/a"},
                            {.ops_name = "qmap",
                             .cgroup = "/a/b",
                             .oldest = WaitingTask{138, "sleep", 1, 1, 30},
                             .watchdog_margin_ms = 970}};
  sample.scx->dsqs.push_back({.kind = "user", .id = Hex(0x42), .scheduler = 2, .nr = 4});
  const auto lines = ToLines(sample);
  ASSERT_GT(lines.size(), 5u);
  EXPECT_EQ(lines[1],
            "sched_ext  layered enabled; below it qmap of cgroup /a, qmap of cgroup /a/b");
  EXPECT_EQ(lines[2],
            "waiting    spin-2 (137) on CPU 0 for 40 ms; the watchdog strikes in 29960 ms, of "
            "layered");
  EXPECT_EQ(lines[3],
            "           sleep (138) on CPU 1 for 30 ms; the watchdog strikes in 970 ms, of qmap of "
            "cgroup /a/b");
  EXPECT_EQ(lines[4], "queues     0x42: 3, global of node 1: ?, 0x42 of /a/b: 4");
  const json scx = json::parse(ToJsonLine(sample))["scx"];
  ASSERT_EQ(scx["schedulers"].size(), 3u);
  EXPECT_EQ(scx["schedulers"][2]["cgroup"], "/a/b");
  EXPECT_EQ(scx["schedulers"][2]["watchdog_margin_ms"], 970);
  EXPECT_EQ(scx["schedulers"][2]["oldest_waiting"]["pid"], 138);
  EXPECT_TRUE(scx["schedulers"][1]["oldest_waiting"].is_null());
}

TEST(SampleTextTest, WhatIsTornIsMarkedInTheHeaderToo) {
  WatchSample sample = Sample();
  sample.scx->torn = true;
  sample.scx->oldest_torn = true;
  sample.scx->oldest.reset();
  const auto lines = ToLines(sample);
  EXPECT_THAT(lines[1], StartsWith("~sched_ext"));
  EXPECT_EQ(lines[2], "~waiting    nobody seen");
  EXPECT_THAT(lines[3], StartsWith("~queues"));
}

TEST(SampleTextTest, AWatchdogThatIsLateIsSaidToBe) {
  WatchSample sample = Sample();
  sample.scx->watchdog_margin_ms = -300;
  EXPECT_THAT(ToLines(sample)[2], testing::EndsWith("; the watchdog is due for 300 ms"));
  sample.scx->watchdog_margin_ms.reset();
  EXPECT_THAT(ToLines(sample)[2], testing::EndsWith("; the watchdog strikes in ? ms"));
}

TEST(SampleTextTest, AKernelWithoutSchedExtHasNoColumnsOfIt) {
  WatchSample sample = Sample();
  sample.scx.reset();
  EXPECT_THAT(
      ToLines(sample),
      ElementsAre("guest      Linux 6.12.0, up 12.346 s, running", "sched_ext  not in this kernel",
                  " cpu  pid  running  class  queued  cfs  rt  dl  switch/s  clock age",
                  "   0  136  spin-1   ext         3    0   1   0       100     1.2 ms",
                  "   1    ?  ?        ?           ?    ?   ?   ?         ?          ?",
                  "~ 10    0  ?        ?           ?    ?   ?   ?         ?          ?"));
}

TEST(SampleTextTest, ManyQueuesAreCutShort) {
  WatchSample sample = Sample();
  sample.scx->dsqs.assign(20, DsqSample{.kind = "user", .id = Hex(1), .nr = 1});
  EXPECT_THAT(ToLines(sample)[3], testing::EndsWith("0x1: 1, and 12 more"));
}

TEST(SampleTextTest, NoNameOfTheGuestsDrivesTheTerminal) {
  WatchSample sample = Sample();
  sample.release = "6\x1b[2J";
  sample.cpus[0].comm = "\x1b]0;owned\x07\n";
  sample.scx->ops_name = "a\rb";
  sample.scx->oldest->comm = "\x9b[1m";
  for (const std::string& line : ToLines(sample)) EXPECT_EQ(SafeText(line), line);
}

TEST(SampleTextTest, LinesFitTheTerminal) {
  for (const std::string& line : ToLines(Sample(), 30)) EXPECT_LE(DisplayWidth(line), 30u);
}

TEST(SampleJsonTest, UnknownIsNullAndTornIsSaid) {
  const json sample = json::parse(ToJsonLine(Sample()));
  EXPECT_EQ(sample["run_state"], "running");
  EXPECT_EQ(sample["cpus"][0]["switches_per_s"], 99.6);
  EXPECT_EQ(sample["cpus"][0]["torn"], false);
  EXPECT_TRUE(sample["cpus"][1]["pid"].is_null());
  EXPECT_TRUE(sample["cpus"][1]["nr_running"].is_null());
  EXPECT_EQ(sample["cpus"][2]["pid"], 0);
  EXPECT_EQ(sample["cpus"][2]["torn"], true);
  EXPECT_EQ(sample["scx"]["oldest_waiting"]["waiting_ms"], 40);
  EXPECT_EQ(sample["scx"]["dsqs"][1]["dsq_id"], "0x0000000000000042");
}

TEST(SampleJsonTest, IsOneLineWhateverTheNamesAre) {
  WatchSample sample = Sample();
  sample.cpus[0].comm = "bad\xff\n\x1b";
  const std::string line = ToJsonLine(sample);
  EXPECT_TRUE(json::accept(line));
  EXPECT_EQ(line.find('\n'), std::string::npos);
  sample.scx.reset();
  EXPECT_TRUE(json::parse(ToJsonLine(sample))["scx"].is_null());
}

}  // namespace
}  // namespace ktstr
