// What the walkers make of a frozen guest's scheduling domains, topology, timers and work is what
// the guest's own files said just before.
#include "system_walk_guest.h"

#include <gmock/gmock.h>

#include <sstream>

#include "libcore/walk/cpu/cpu_mask.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;

constexpr int64_t kNapNs = 3600 * kSecondNs;

// "3" or "00000000,0000000f" as "0-3".
std::string ListOfHexMask(std::string text) {
  std::erase(text, ',');
  CpuMask mask((text.size() + 15) / 16);
  for (size_t word = 0; word < mask.size(); ++word) {
    const size_t end = text.size() - word * 16;
    const size_t begin = end < 16 ? 0 : end - 16;
    mask[word] = std::stoull(text.substr(begin, end - begin), nullptr, 16);
  }
  return ToList(mask);
}

using SystemWalkGuestTest = SystemWalkGuest;

TEST_P(SystemWalkGuestTest, DomainsTopologyAndTimersAreAsTheGuestTells) {
  ASSERT_NO_FATAL_FAILURE(Boot(
      {{.kind = "spin", .count = 4},
       {.kind = "sleep", .count = 2},
       {.kind = "sleep", .name = "nap", .parameters = nlohmann::json{{"us", kNapNs / 1000}}}}));
  ASSERT_NO_FATAL_FAILURE(AskFreezeAndWalk());

  ASSERT_EQ(account_.topology.rows.size(), 4u);
  for (const TopologyRow& row : account_.topology.rows) {
    const json& cpu = system_["cpus"][std::to_string(row.cpu)];
    SCOPED_TRACE(cpu.dump(1));
    const auto number = [&](const char* name) { return std::stoll(cpu[name].get<std::string>()); };
    EXPECT_EQ(row.online, 1);
    EXPECT_EQ(row.package, number("physical_package_id"));
    EXPECT_EQ(row.core, number("core_id"));
    EXPECT_EQ(row.thread_siblings, cpu["thread_siblings_list"]);
    EXPECT_EQ(row.core_siblings, cpu["core_siblings_list"]);
    if (cpu.contains("die_id")) {
      EXPECT_EQ(row.die, number("die_id"));
    }
    if (cpu.contains("die_cpus_list")) {
      EXPECT_EQ(row.die_siblings, cpu["die_cpus_list"]);
    }
    if (cpu.contains("cluster_id")) {
      EXPECT_EQ(row.cluster.value_or(65535), number("cluster_id"));
    }
    EXPECT_EQ(row.node, cpu["node"].get<int64_t>());
  }
  // Two packages; the threads of a core are none to Linux 6.1 on this machine.
  EXPECT_EQ(account_.topology.rows[3].core_siblings, "2-3");

  std::map<std::pair<int64_t, int64_t>, std::string> spans;
  std::istringstream schedstat(system_["schedstat"].get<std::string>());
  int64_t cpu = -1;
  for (std::string line; std::getline(schedstat, line);) {
    std::istringstream words(line);
    std::string word, mask;
    words >> word >> mask;
    if (word.starts_with("cpu")) cpu = std::stoll(word.substr(3));
    if (!word.starts_with("domain")) continue;
    // Later kernels put the domain's name first.
    if (mask.find_first_not_of("0123456789abcdef,") != std::string::npos) words >> mask;
    spans[{cpu, std::stoll(word.substr(6))}] = ListOfHexMask(mask);
  }
  EXPECT_EQ(account_.domains.rows.size(), spans.size());
  EXPECT_EQ(spans.size(), 8u);
  for (const SchedDomainRow& row : account_.domains.rows) {
    SCOPED_TRACE(testing::Message() << "CPU " << row.cpu << " level " << row.level);
    EXPECT_EQ(row.span, (spans[{row.cpu, row.level}]));
    EXPECT_EQ(row.groups, 2);
    EXPECT_EQ(row.span_weight, row.level == 0 ? 2 : 4);
    EXPECT_EQ(row.group_weight, row.level == 0 ? 1 : 2);
    EXPECT_THAT(row.flag_names.value(), testing::HasSubstr("balance_newidle"));
    EXPECT_THAT(row.flag_names.value(), testing::Not(testing::HasSubstr("0x")));
    EXPECT_GE(row.since_balance_ns, 0);
    EXPECT_LT(row.since_balance_ns, 3600 * kSecondNs);
  }

  // The timers that cannot have expired or been set anew since.
  const TimerList listed = ParseTimerList(system_["timer_list"]);
  std::set<Timer> theirs, ours;
  for (const Timer& timer : listed.timers) {
    if (std::get<2>(timer) > listed.now_ns + 600 * kSecondNs) theirs.insert(timer);
  }
  size_t naps = 0;
  for (const TimerRow& row : account_.timers.rows) {
    EXPECT_TRUE(row.function.has_value()) << ToText(*row.timer_kva);
    EXPECT_TRUE(row.until_ns.has_value());
    const bool is_monotonic = row.base == "monotonic" || row.base == "monotonic_soft";
    if (row.kind == "hrtimer" && is_monotonic && row.expires_ns > listed.now_ns + 600 * kSecondNs) {
      ours.insert({row.cpu, row.function.value_or(""), *row.expires_ns});
    }
    if (row.pid != tids_["nap-0"]) continue;
    ++naps;
    EXPECT_EQ(row.comm, "nap-0");
    EXPECT_EQ(row.kind, "hrtimer");
    EXPECT_EQ(row.function, "hrtimer_wakeup");
    // With PREEMPT_RT it expires in a softirq.
    EXPECT_THAT(row.base, testing::AnyOf("monotonic", "monotonic_soft"));
    EXPECT_LE(row.until_ns, kNapNs + kSecondNs);
    // The kernel's clock when it was frozen, by that.
    EXPECT_GE(*row.expires_ns - *row.until_ns, listed.now_ns - kSecondNs);
    EXPECT_LE(*row.expires_ns - *row.until_ns, listed.now_ns + 60 * kSecondNs);
  }
  EXPECT_EQ(naps, 1u);
  EXPECT_EQ(ours, theirs);
  EXPECT_GE(theirs.size(), 1u);
  // Each CPU's tick is among its timers, and the wheel is never empty.
  std::set<int64_t> ticking;
  size_t wheel = 0;
  for (const TimerRow& row : account_.timers.rows) {
    if (row.function == "tick_sched_timer" || row.function == "tick_nohz_handler") {
      ticking.insert(row.cpu);
    }
    if (row.kind == "timer") ++wheel;
  }
  EXPECT_GE(ticking.size(), 1u);
  EXPECT_GT(wheel, 3u);
}

// Of a guest's CPUs on which a stalled scheduler lets nothing run, kernel threads included.
TEST(WorkItemGuestTest, WorkWaitsWhereASchedulerStallsItsWorkers) {
  TemporaryDirectory directory;
  MachineOptions options;
  options.kernel = SchedExtKernel("small");
  options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", "/vtime.bpf.o"}};
  const auto machine = BootWithWork(options, "spin:3");
  ASSERT_OK(machine);
  ASSERT_OK((*machine)->LoadScheduler("/vtime.bpf.o", {{"vtime_ops.timeout_ms", 25000}}));
  ASSERT_OK((*machine)->SetSchedulerVariable("stall", 1));
  // Until timers have expired that start work. The guest's clock tells, not ours.
  int64_t begin_ns = 0, now_ns = 0;
  const Deadline deadline = After(std::chrono::seconds(60));
  while (now_ns < begin_ns + 8 * kSecondNs && std::chrono::steady_clock::now() < deadline) {
    const auto system = (*machine)->SystemAccount();
    ASSERT_OK(system);
    now_ns = ParseTimerList((*system)["timer_list"]).now_ns;
    if (begin_ns == 0) begin_ns = now_ns;
  }
  auto guest = FrozenGuest::Freeze(**machine, directory / "a.kts");
  ASSERT_OK(guest);
  const auto live = WalkSystem((*guest)->live());
  ASSERT_OK(live);
  const auto kept = WalkSystem((*guest)->kept());
  ASSERT_OK(kept);
  ExpectEqual(*live, *kept);
  ExpectNoAnomalies(*kept);
  std::set<std::string> pending;
  for (const WorkItemRow& row : kept->works.rows) {
    SCOPED_TRACE(testing::Message() << row.state << " " << ToText(row.work_kva.value()));
    EXPECT_TRUE(row.function.has_value());
    EXPECT_TRUE(row.pool.has_value());
    EXPECT_TRUE(row.nice.has_value());
    if (row.state == "pending") {
      pending.insert(row.function.value_or("") + " on " + row.workqueue.value_or("?"));
    }
    if (row.state == "running") {
      EXPECT_THAT(row.worker_comm.value_or(""), testing::StartsWith("kworker/"));
    }
  }
  // What the kernel does every few seconds, whichever came first.
  EXPECT_THAT(pending, testing::Contains(testing::AnyOf(
                           "vmstat_shepherd on events", "vmstat_update on mm_percpu_wq",
                           "kfree_rcu_monitor on kvfree_rcu_reclaim")));
}

INSTANTIATE_TEST_SUITE_P(Kernels, SystemWalkGuestTest, testing::Values("6.12", "6.1", "small"),
                         [](const auto& info) {
                           std::string name = "Linux" + info.param;
                           std::erase(name, '.');
                           return name;
                         });
INSTANTIATE_TEST_SUITE_P(Others, SystemWalkGuestTest, testing::ValuesIn(OtherKernels({"newest-7"})),
                         [](const auto& info) { return KernelTestName(info.param); });

}  // namespace
}  // namespace ktstr
