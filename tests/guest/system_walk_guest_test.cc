// What the walkers make of a frozen guest's cgroups, scheduling domains, topology, timers and work
// is what the guest's own files said just before.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "frozen_guest.h"
#include "guest_tests.h"
#include "ktstr/sample/temporary_directory.h"
#include "ktstr/walk/cpu_mask.h"
#include "ktstr/walk/system/cgroup.h"
#include "ktstr/walk/system/sched_domain.h"
#include "ktstr/walk/system/timer.h"
#include "ktstr/walk/system/topology.h"
#include "ktstr/walk/system/work_item.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kNapNs = 3600 * kSecondNs;

struct Account {
  Walked<CgroupRow> cgroups;
  Walked<SchedDomainRow> domains;
  Walked<TopologyRow> topology;
  Walked<TimerRow> timers;
  Walked<WorkItemRow> works;
};

Result<Account> TakeAccount(const GuestKernel& kernel) {
  return Account{KTSTR_TRY(WalkCgroups(kernel)), KTSTR_TRY(WalkSchedDomains(kernel)),
                 KTSTR_TRY(WalkTopology(kernel)), KTSTR_TRY(WalkTimers(kernel)),
                 KTSTR_TRY(WalkWorkItems(kernel))};
}

void ExpectNoAnomalies(const Account& account) {
  for (const auto* anomalies :
       {&account.cgroups.anomalies, &account.domains.anomalies, &account.topology.anomalies,
        &account.timers.anomalies, &account.works.anomalies}) {
    for (const AnomalyRow& row : *anomalies) {
      ADD_FAILURE() << row.walker << " " << row.kind << ": " << row.detail;
    }
  }
}

void ExpectEqual(const Account& live, const Account& kept) {
  EXPECT_EQ(live.cgroups.rows, kept.cgroups.rows);
  EXPECT_EQ(live.domains.rows, kept.domains.rows);
  EXPECT_EQ(live.topology.rows, kept.topology.rows);
  EXPECT_EQ(live.timers.rows, kept.timers.rows);
  EXPECT_EQ(live.works.rows, kept.works.rows);
}

// The number after "key " in a file of such lines.
std::optional<int64_t> NumberIn(const json& files, const char* file, const std::string& key) {
  if (!files.contains(file)) return std::nullopt;
  std::istringstream lines(files[file].get<std::string>());
  for (std::string name, value; lines >> name >> value;) {
    if (name == key) return std::stoll(value);
  }
  return std::nullopt;
}

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

using Timer = std::tuple<int64_t, std::string, int64_t>;  // CPU, function, expiry in ns

// The hrtimers of CLOCK_MONOTONIC in /proc/timer_list, and when it was read.
struct TimerList {
  int64_t now_ns = 0;
  std::set<Timer> timers;
};

TimerList ParseTimerList(const std::string& text) {
  TimerList list;
  int64_t cpu = 0, clock = 0;
  std::string function;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    long long a = 0, b = 0;
    if (std::sscanf(line.c_str(), "now at %lld nsecs", &a) == 1) list.now_ns = a;
    if (std::sscanf(line.c_str(), "cpu: %lld", &a) == 1) cpu = a;
    if (std::sscanf(line.c_str(), " clock %lld:", &a) == 1) clock = a;
    if (line.starts_with(" #") && line.find('>') != std::string::npos) {
      const size_t begin = line.find(", ") + 2;
      function = line.substr(begin, line.find(',', begin) - begin);
    }
    const bool is_monotonic = clock == 0 || clock == 4;
    if (std::sscanf(line.c_str(), " # expires at %lld-%lld nsecs", &a, &b) == 2 && is_monotonic) {
      list.timers.insert({cpu, function, b});
    }
  }
  return list;
}

std::filesystem::path KernelOf(const std::string& name) {
  return name == "small" ? SchedExtKernel(name) : StockKernel(name);
}

class SystemWalkGuestTest : public testing::TestWithParam<const char*> {
 protected:
  using Step = std::function<Status()>;

  // Boots, starts the workers and does `set_up`; all of it again when TCG made the kernel die.
  void Boot(
      const std::vector<WorkerSpec>& workers, const Step& set_up = [] { return Status(); }) {
    constexpr int kAttempts = 3;
    Status done;
    for (int attempt = 1; attempt <= kAttempts; ++attempt) {
      done = TryBoot(workers);
      if (done) done = set_up();
      if (done || machine_ == nullptr || !machine_->TrippedOverTcg()) break;
    }
    ASSERT_OK(done);
  }

  Status TryBoot(const std::vector<WorkerSpec>& workers) {
    machine_.reset();
    MachineOptions options;
    options.kernel = KernelOf(GetParam());
    options.cpus = 4;
    options.extra_arguments = {"-smp", "cpus=4,sockets=2,cores=1,threads=2"};
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", "/vtime.bpf.o"}};
    machine_ = KTSTR_TRY(GuestMachine::Boot(options));
    KTSTR_TRY(machine_->StartWorkers(workers));
    const json report = KTSTR_TRY(machine_->Report());
    for (const json& worker : report["workers"]) tids_[worker["name"]] = worker["tid"];
    return {};
  }

  Status SetUpCgroups() {
    KTSTR_TRY(machine_->SetUpCgroup("/limited", {{"cpu.weight", "250"},
                                                 {"cpu.max", "20000 100000"},
                                                 {"cpuset.cpus", "1-2"},
                                                 {"cgroup.procs", {tids_["spin-0"]}}}));
    KTSTR_TRY(machine_->SetUpCgroup("/outer/inner",
                                    {{"cpu.weight", "20"},
                                     {"cpuset.cpus", ""},
                                     {"cgroup.procs", {tids_["sleep-0"], tids_["threads-0a"]}}}));
    KTSTR_TRY(machine_->SetUpCgroup("/outer/idle", {{"cpu.idle", "1"}}));
    return machine_->SetUpCgroup("/ice",
                                 {{"cgroup.freeze", "1"}, {"cgroup.procs", {tids_["spin-1"]}}});
  }

  // The guest's own account, then the archive's, which is the same as that of the memory.
  void AskFreezeAndWalk() {
    const auto system = machine_->SystemAccount();
    ASSERT_OK(system);
    system_ = *system;
    auto guest = FrozenGuest::Freeze(*machine_, directory_ / "a.kts");
    ASSERT_OK(guest);
    const auto live = TakeAccount((*guest)->live());
    ASSERT_OK(live);
    auto kept = TakeAccount((*guest)->kept());
    ASSERT_OK(kept);
    ExpectEqual(*live, *kept);
    ExpectNoAnomalies(*kept);
    account_ = *std::move(kept);
  }

  // Asks until the cgroup says that all of its tasks are frozen.
  void AwaitFrozen(const std::string& path) {
    const Deadline deadline = After(std::chrono::seconds(60));
    while (std::chrono::steady_clock::now() < deadline) {
      const auto system = machine_->SystemAccount();
      ASSERT_OK(system);
      for (const json& cgroup : (*system)["cgroups"]) {
        if (cgroup["path"] != path) continue;
        if (NumberIn(cgroup["files"], "cgroup.events", "frozen") == 1) return;
      }
    }
    FAIL() << path << " did not freeze";
  }

  const CgroupRow* FindCgroup(const std::string& path) const {
    for (const CgroupRow& row : account_.cgroups.rows) {
      if (row.path == path) return &row;
    }
    return nullptr;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::map<std::string, int64_t> tids_;
  json system_;
  Account account_;
};

TEST_P(SystemWalkGuestTest, CgroupsAreAsTheirFilesShow) {
  ASSERT_NO_FATAL_FAILURE(
      Boot({{.kind = "spin", .count = 3}, {.kind = "threads"}, {.kind = "sleep", .count = 2}},
           [this] { return SetUpCgroups(); }));
  ASSERT_NO_FATAL_FAILURE(AwaitFrozen("/ice"));
  ASSERT_NO_FATAL_FAILURE(AskFreezeAndWalk());

  EXPECT_EQ(account_.cgroups.rows.size(), system_["cgroups"].size());
  EXPECT_GE(system_["cgroups"].size(), 6u);
  for (const json& cgroup : system_["cgroups"]) {
    SCOPED_TRACE(cgroup.dump(1));
    const CgroupRow* row = FindCgroup(cgroup["path"]);
    ASSERT_NE(row, nullptr);
    const json& files = cgroup["files"];
    const auto text = [&](const char* name) {
      return files.contains(name) ? std::optional(files[name].get<std::string>()) : std::nullopt;
    };
    EXPECT_EQ(row->hierarchy, 0);
    EXPECT_EQ(row->online, 1);
    EXPECT_EQ(row->id, Hex(cgroup["id"].get<uint64_t>()));
    // Kernel threads come and go in the root.
    if (row->path != "/") {
      EXPECT_EQ(row->nr_tasks, cgroup["threads"].get<int64_t>());
    }
    if (files.contains("cgroup.events")) {
      EXPECT_EQ(row->populated, NumberIn(files, "cgroup.events", "populated"));
      EXPECT_EQ(row->frozen, NumberIn(files, "cgroup.events", "frozen"));
      EXPECT_EQ(std::to_string(row->freeze.value()), text("cgroup.freeze"));
      EXPECT_GE(row->usage_ns.value() / 1000, NumberIn(files, "cpu.stat", "usage_usec"));
    }
    // The root has no such files, but what they would show.
    if (row->path == "/") {
      EXPECT_EQ(row->weight, 100);
      EXPECT_EQ(row->cpu_max, "max 100000");
      EXPECT_EQ(row->usage_ns, std::nullopt);
    } else {
      EXPECT_EQ(row->cpu_max, text("cpu.max"));
      if (row->idle == 0) {
        EXPECT_EQ(std::to_string(row->weight.value()), text("cpu.weight"));
      } else if (row->idle) {
        EXPECT_EQ(std::to_string(*row->idle), text("cpu.idle"));
      } else {
        EXPECT_EQ(row->weight, std::nullopt);
        EXPECT_EQ(text("cpu.weight"), std::nullopt);
      }
      EXPECT_EQ(row->cpus.value_or(""), text("cpuset.cpus").value_or(""));
    }
    EXPECT_EQ(row->cpus_effective, text("cpuset.cpus.effective"));
    if (const auto periods = NumberIn(files, "cpu.stat", "nr_periods")) {
      EXPECT_GE(row->nr_periods, periods);
      EXPECT_GE(row->nr_throttled, NumberIn(files, "cpu.stat", "nr_throttled"));
      EXPECT_GE(row->throttled_ns.value() / 1000, NumberIn(files, "cpu.stat", "throttled_usec"));
    }
  }
  // What the test itself asked for.
  EXPECT_EQ(FindCgroup("/limited")->weight, 250);
  EXPECT_EQ(FindCgroup("/limited")->quota_ns, 20'000'000);
  EXPECT_GT(FindCgroup("/limited")->nr_periods, 0);
  EXPECT_EQ(FindCgroup("/limited")->nr_tasks, 1);
  EXPECT_EQ(FindCgroup("/limited")->cpus, "1-2");
  EXPECT_EQ(FindCgroup("/outer/inner")->level, 2);
  EXPECT_GT(FindCgroup("/outer/inner")->nr_tasks, 2);
  EXPECT_EQ(FindCgroup("/outer")->nr_tasks, 0);
  EXPECT_EQ(FindCgroup("/outer/idle")->idle, 1);
  EXPECT_EQ(FindCgroup("/ice")->frozen, 1);
  // The quota's period is timed for as long as something wants to run.
  std::vector<std::string> periods;
  for (const TimerRow& row : account_.timers.rows) {
    if (row.function == "sched_cfs_period_timer") periods.push_back(row.detail.value_or("?"));
  }
  EXPECT_THAT(periods, testing::Contains("cgroup /limited"));
}

TEST_P(SystemWalkGuestTest, DomainsTopologyAndTimersAreAsTheGuestTells) {
  ASSERT_NO_FATAL_FAILURE(
      Boot({{.kind = "spin", .count = 4},
            {.kind = "sleep", .count = 2},
            {.kind = "sleep", .name = "nap", .parameters = {{"us", kNapNs / 1000}}}}));
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
    EXPECT_EQ(row.base, "monotonic");
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
  const auto live = TakeAccount((*guest)->live());
  ASSERT_OK(live);
  const auto kept = TakeAccount((*guest)->kept());
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
                           std::string name = std::string("Linux") + info.param;
                           std::erase(name, '.');
                           return name;
                         });

}  // namespace
}  // namespace ktstr
