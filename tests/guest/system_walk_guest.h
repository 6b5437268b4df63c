// What tests of the walkers of cgroups, scheduling domains, topology, timers and work share: a
// guest that tells of them itself just before it is frozen.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <tuple>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/system/cgroup.h"
#include "libcore/walk/system/sched_domain.h"
#include "libcore/walk/system/timer.h"
#include "libcore/walk/system/topology.h"
#include "libcore/walk/system/work_item.h"

namespace ktstr {

inline constexpr int64_t kSecondNs = 1'000'000'000;

struct SystemWalks {
  Walked<CgroupRow> cgroups;
  Walked<SchedDomainRow> domains;
  Walked<TopologyRow> topology;
  Walked<TimerRow> timers;
  Walked<WorkItemRow> works;
};

Result<SystemWalks> WalkSystem(const GuestKernel& kernel);
void ExpectEqual(const SystemWalks& live, const SystemWalks& kept);
void ExpectNoAnomalies(const SystemWalks& walks);

using Timer = std::tuple<int64_t, std::string, int64_t>;  // CPU, function, expiry in ns

// The hrtimers of CLOCK_MONOTONIC in /proc/timer_list, and when it was read.
struct TimerList {
  int64_t now_ns = 0;
  std::set<Timer> timers;
};

TimerList ParseTimerList(const std::string& text);

// By the name of the kernel.
class SystemWalkGuest : public testing::TestWithParam<std::string> {
 protected:
  using Step = std::function<Status(GuestMachine&)>;

  // A guest with these workers, made ready by `set_up`.
  void Boot(
      const std::vector<WorkerSpec>& workers,
      const Step& set_up = [](GuestMachine&) { return Status(); }) {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.cpus = 4;
    options.extra_arguments = {"-smp", "cpus=4,sockets=2,cores=1,threads=2"};
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", "/vtime.bpf.o"}};
    auto machine = ReadyGuest(options, [&](GuestMachine& guest) -> Status {
      KTSTR_TRY(guest.StartWorkers(workers));
      const nlohmann::json report = KTSTR_TRY(guest.Report());
      tids_.clear();
      for (const nlohmann::json& worker : report["workers"]) {
        tids_[worker["name"]] = worker["tid"];
      }
      return set_up(guest);
    });
    ASSERT_OK(machine);
    machine_ = *std::move(machine);
  }

  // The guest's own account, then the archive's, which is the same as that of the memory.
  void AskFreezeAndWalk() {
    const auto system = machine_->SystemAccount();
    ASSERT_OK(system);
    system_ = *system;
    auto guest = FrozenGuest::Freeze(*machine_, directory_ / "a.kts");
    ASSERT_OK(guest);
    const auto live = WalkSystem((*guest)->live());
    ASSERT_OK(live);
    auto kept = WalkSystem((*guest)->kept());
    ASSERT_OK(kept);
    ExpectEqual(*live, *kept);
    ExpectNoAnomalies(*kept);
    account_ = *std::move(kept);
  }

  synthetic::TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  std::map<std::string, int64_t> tids_;
  nlohmann::json system_;
  SystemWalks account_;
};

}  // namespace ktstr
