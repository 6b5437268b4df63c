#include "capture/watch/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "changing_guest.h"

namespace ktstr {
namespace {

TEST(SamplerTest, AGuestThatStandsStillIsSampledWhole) {
  ChangingGuest guest;
  const Kva worker = guest.NewTask(7);
  guest.sched().Run(1, worker);
  guest.AddWaiting(0, 10, 50);
  guest.AddWaiting(0, 11, 25);
  guest.sched().queues().AddLocal(0, guest.NewTask(12));
  const Kva dsq = guest.scx().AddDsq(guest.scheduler(), 0x42);
  guest.scx().Dispatch(dsq, guest.NewTask(13));
  const WatchSample sample = guest.Start().Take();
  EXPECT_EQ(sample.release, "6.12.0-synthetic");
  EXPECT_EQ(sample.uptime_ns, 4'000'000'000);
  ASSERT_EQ(sample.cpus.size(), 2u);
  const CpuSample& idle = sample.cpus[0];
  EXPECT_FALSE(idle.torn);
  EXPECT_EQ(idle.task_class, "idle");
  EXPECT_EQ(idle.pid, 0);
  EXPECT_EQ(idle.nr_running, 2);
  EXPECT_EQ(idle.scx, 2);
  EXPECT_EQ(idle.cfs, 0);
  EXPECT_EQ(idle.local_dsq, 1);
  EXPECT_EQ(idle.nr_switches, 1000);
  EXPECT_EQ(idle.switches_per_s, std::nullopt);
  EXPECT_EQ(idle.clock_behind_ns, 1);
  ASSERT_TRUE(idle.oldest);
  EXPECT_EQ(idle.oldest->pid, 10);
  const CpuSample& busy = sample.cpus[1];
  EXPECT_EQ(busy.pid, 7);
  EXPECT_EQ(busy.comm, "task-7");
  EXPECT_EQ(busy.task_class, "ext");
  EXPECT_EQ(busy.clock_behind_ns, 0);
  EXPECT_FALSE(busy.oldest || busy.oldest_torn);
  ASSERT_TRUE(sample.scx);
  EXPECT_EQ(sample.scx->ops_name, "layered");
  EXPECT_EQ(sample.scx->enable_state, "enabled");
  EXPECT_EQ(sample.scx->oldest->pid, 10);
  EXPECT_EQ(sample.scx->oldest->waiting_ms, 200);
  EXPECT_EQ(sample.scx->watchdog_margin_ms, 30'000 - 200);
  EXPECT_FALSE(sample.scx->torn || sample.scx->oldest_torn);
  EXPECT_THAT(sample.scx->dsqs,
              testing::Contains(DsqSample{.kind = "user", .id = Hex(0x42), .nr = 1}));
}

TEST(SamplerTest, SchedulersOfAllLayoutsHaveTheirNameAndQueues) {
  for (const auto layout : {synthetic::ScxLayout::kSched, synthetic::ScxLayout::kSchedPcpu,
                            synthetic::ScxLayout::kSubSchedulers, synthetic::ScxLayout::kCids,
                            synthetic::ScxLayout::kCaps}) {
    ChangingGuest guest(layout);
    guest.scx().AddDsq(guest.scheduler(), 0x42);
    guest.AddWaiting(1, 10, 50);
    const WatchSample sample = guest.Start().Take();
    ASSERT_TRUE(sample.scx);
    EXPECT_EQ(sample.scx->ops_name, "layered");
    EXPECT_EQ(sample.scx->watchdog_margin_ms, 30'000 - 200);
    EXPECT_FALSE(sample.scx->torn);
    EXPECT_THAT(sample.scx->dsqs,
                testing::Contains(DsqSample{.kind = "user", .id = Hex(0x42), .nr = 0}));
  }
}

TEST(SamplerTest, EachSubSchedulerHasItsOwnOldestTaskAndMargin) {
  for (const auto layout : {synthetic::ScxLayout::kSubSchedulers, synthetic::ScxLayout::kCids,
                            synthetic::ScxLayout::kCaps}) {
    ChangingGuest guest(layout);
    const Kva below = guest.scx().AddScheduler(
        {.name = "inner", .cgroup = "/a/b", .watchdog_timeout = 250}, guest.scheduler());
    guest.AddWaiting(0, 10, 50);
    guest.AddWaiting(1, 11, 100);
    guest.scx().Own(below, guest.AddWaiting(1, 12, 25));
    guest.scx().Own(below, guest.AddWaiting(0, 13, 75));
    guest.scx().AddDsq(below, 0x42);
    const WatchSample sample = guest.Start().Take();
    ASSERT_TRUE(sample.scx);
    const ScxSample& scx = *sample.scx;
    EXPECT_FALSE(scx.torn || scx.oldest_torn);
    ASSERT_EQ(scx.schedulers.size(), 2u);
    EXPECT_EQ(scx.schedulers[0].ops_name, "layered");
    EXPECT_EQ(scx.schedulers[0].cgroup, std::nullopt);
    EXPECT_EQ(scx.schedulers[0].oldest->pid, 11);
    EXPECT_EQ(scx.schedulers[0].watchdog_margin_ms, 30'000 - 400);
    EXPECT_EQ(scx.schedulers[1].ops_name, "inner");
    EXPECT_EQ(scx.schedulers[1].cgroup, "/a/b");
    EXPECT_EQ(scx.schedulers[1].oldest->pid, 13);
    EXPECT_EQ(scx.schedulers[1].watchdog_margin_ms, 1000 - 300);
    // Over all of them.
    EXPECT_EQ(scx.oldest->pid, 11);
    EXPECT_EQ(scx.watchdog_margin_ms, 700);
    EXPECT_THAT(scx.dsqs, testing::Contains(
                              DsqSample{.kind = "user", .id = Hex(0x42), .scheduler = 1, .nr = 0}));
  }
}

TEST(SamplerTest, ARunQueueThatNeverHoldsStillIsTorn) {
  ChangingGuest guest;
  Sampler& sampler = guest.Start();
  uint64_t switches = 5000, looks = 0;
  guest.OnLook(guest.Rq(0, "nr_switches"), [&] {
    ++looks;
    guest.Write(guest.Rq(0, "nr_switches"), ++switches);
  });
  const WatchSample sample = sampler.Take();
  EXPECT_TRUE(sample.cpus[0].torn);
  // Who waits there is not known either, and the whole says so.
  EXPECT_TRUE(sample.cpus[0].oldest_torn);
  EXPECT_TRUE(sample.scx->oldest_torn);
  EXPECT_FALSE(sample.cpus[1].torn);
  // Five attempts of two readings each, for the numbers and for who waits, which has a list to look
  // at.
  EXPECT_GE(looks, 20u);
  EXPECT_LE(looks, 60u);
}

TEST(SamplerTest, ARunQueueThatSettlesIsReadUntilItHas) {
  ChangingGuest guest;
  Sampler& sampler = guest.Start();
  uint64_t switches = 5000;
  guest.OnLook(guest.Rq(0, "nr_switches"), [&] {
    if (switches < 5003) guest.Write(guest.Rq(0, "nr_switches"), ++switches);
  });
  const WatchSample sample = sampler.Take();
  EXPECT_FALSE(sample.cpus[0].torn);
  EXPECT_EQ(sample.cpus[0].nr_switches, 5003);
}

TEST(SamplerTest, ATaskThatTakesOverMeanwhileIsNotMixedWithTheOneBefore) {
  ChangingGuest guest;
  const Kva first = guest.NewTask(7), second = guest.NewTask(8);
  guest.sched().Run(0, first);
  Sampler& sampler = guest.Start();
  int looks = 0;
  guest.OnLook(guest.Rq(0, "curr"), [&] {
    if (++looks == 2) guest.Write(guest.Rq(0, "curr"), second.value());
  });
  const WatchSample sample = sampler.Take();
  EXPECT_FALSE(sample.cpus[0].torn);
  EXPECT_EQ(sample.cpus[0].pid, 8);
  EXPECT_EQ(sample.cpus[0].comm, "task-8");
}

TEST(SamplerTest, NumbersThatDoNotAddUpAreTorn) {
  ChangingGuest guest;
  guest.AddWaiting(0, 10, 1);
  Sampler& sampler = guest.Start();
  guest.Write(guest.Rq(0, "nr_running"), uint32_t{5});
  EXPECT_TRUE(sampler.Take().cpus[0].torn);
  guest.Write(guest.Rq(0, "nr_running"), uint32_t{1});
  EXPECT_FALSE(sampler.Take().cpus[0].torn);
}

TEST(SamplerTest, TheStopperIsInNoClassesCount) {
  ChangingGuest guest;
  const Kva stopper = guest.sched().AddProcess(
      {.pid = 15, .comm = "migration/0", .on_rq = 1, .sched_class = "stop"});
  Sampler& sampler = guest.Start();
  guest.Write(guest.Rq(0, "stop"), stopper.value());
  guest.Write(guest.Rq(0, "nr_running"), uint32_t{1});
  EXPECT_FALSE(sampler.Take().cpus[0].torn);
}

TEST(SamplerTest, AListInTheMiddleOfAChangeTearsOnlyWhatItTells) {
  ChangingGuest guest;
  guest.AddWaiting(0, 10, 50);
  const Kva second = guest.AddWaiting(0, 11, 60);
  guest.AddWaiting(1, 12, 40);
  Sampler& sampler = guest.Start();
  const Kva prev = second + guest.builder().MemberOf("task_struct", "scx.runnable_node").offset + 8;
  guest.Write(prev, uint64_t{0});
  const WatchSample sample = sampler.Take();
  EXPECT_FALSE(sample.cpus[0].torn);
  EXPECT_TRUE(sample.cpus[0].oldest_torn);
  EXPECT_FALSE(sample.cpus[0].oldest);
  // The oldest of those that are known, and a mark that it may not be the oldest.
  EXPECT_EQ(sample.scx->oldest->pid, 12);
  EXPECT_TRUE(sample.scx->oldest_torn);
}

TEST(SamplerTest, ASchedulerThatChangesItsNameMeanwhileIsTorn) {
  ChangingGuest guest(synthetic::ScxLayout::kSched);
  const Kva name = guest.scheduler() + guest.builder().MemberOf("scx_sched", "ops.name").offset;
  Sampler& sampler = guest.Start();
  char letter = 'a';
  guest.OnLook(name, [&] { guest.Write(name, ++letter); });
  EXPECT_TRUE(sampler.Take().scx->torn);
}

TEST(SamplerTest, WhatCannotBeReadIsUnknownAndNotZero) {
  ChangingGuest guest;
  Sampler& sampler = guest.Start();
  guest.LeaveOut(guest.Rq(0, "nr_running"));
  const CpuSample cpu = sampler.Take().cpus[0];
  EXPECT_FALSE(cpu.torn);
  EXPECT_EQ(cpu.nr_running, std::nullopt);
  EXPECT_EQ(cpu.nr_switches, std::nullopt);
  EXPECT_EQ(cpu.switches_per_s, std::nullopt);
}

TEST(SamplerTest, SwitchesHaveARateFromTheSecondSampleOn) {
  ChangingGuest guest;
  Sampler& sampler = guest.Start();
  const WatchSample first = sampler.Take();
  EXPECT_EQ(first.cpus[0].switches_per_s, std::nullopt);
  guest.Write(guest.Rq(0, "nr_switches"), uint64_t{1100});
  const WatchSample second = sampler.Take();
  const std::chrono::duration<double> passed = second.cpus[0].read_at - first.cpus[0].read_at;
  EXPECT_DOUBLE_EQ(*second.cpus[0].switches_per_s, 100 / passed.count());
  EXPECT_EQ(second.cpus[1].switches_per_s, 0);
}

TEST(SamplerTest, APageThatIsMappedElsewhereIsReadThere) {
  ChangingGuest guest;
  const Kva task = guest.sched().AddProcess(
      {.pid = 7, .comm = "moves", .sched_class = "ext", .in_vmalloc = true});
  guest.sched().Run(0, task);
  const Kva new_page = guest.builder().Allocate(4 * kPageSize, kPageSize);
  Sampler& sampler = guest.Start();
  EXPECT_EQ(sampler.Take().cpus[0].comm, "moves");
  const Kva comm = task + guest.builder().MemberOf("task_struct", "comm").offset;
  const Pa moved = guest.builder().PaOf(new_page);
  guest.builder().tables().Map(Kva(comm.value() & ~(kPageSize - 1)), moved);
  guest.Write(new_page + comm.page_offset(), uint64_t{0});
  EXPECT_EQ(sampler.Take().cpus[0].comm, "");
}

}  // namespace
}  // namespace ktstr
