// A task whose group has used up its quota: since 6.18 it stands in no queue of the scheduler's,
// but in a list of those that wait for the next period.
#include <gmock/gmock.h>

#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/task/task.h"
#include "system_walk_guest.h"

namespace ktstr {
namespace {

using nlohmann::json;

class ThrottleGuestTest : public SystemWalkGuest {
 protected:
  // Asks until the group was throttled.
  void AwaitThrottled(const std::string& path) {
    const Deadline deadline = After(std::chrono::seconds(60));
    while (std::chrono::steady_clock::now() < deadline) {
      const auto system = machine_->SystemAccount();
      ASSERT_OK(system);
      for (const json& cgroup : (*system)["cgroups"]) {
        if (cgroup["path"] != path) continue;
        const std::string stat = cgroup["files"]["cpu.stat"];
        const size_t at = stat.find("nr_throttled ");
        if (at != std::string::npos && std::stoll(stat.substr(at + 13)) > 0) return;
      }
    }
    FAIL() << path << " was not throttled";
  }
};

TEST_P(ThrottleGuestTest, AThrottledTaskStandsInNoQueueAndIsShown) {
  ASSERT_NO_FATAL_FAILURE(Boot({{.kind = "spin"}}, [this](GuestMachine& guest) {
    // A thousandth of the time: it is throttled nearly always.
    return guest.SetUpCgroup("/tight",
                             {{"cpu.max", "1000 1000000"}, {"cgroup.procs", {tids_["spin-0"]}}});
  }));
  ASSERT_NO_FATAL_FAILURE(AwaitThrottled("/tight"));
  auto guest = FrozenGuest::Freeze(*machine_, directory_ / "a.kts");
  ASSERT_OK(guest);
  const auto tasks = WalkTasks((*guest)->kept());
  ASSERT_OK(tasks);
  const auto queues = WalkRqTasks((*guest)->kept());
  ASSERT_OK(queues);
  EXPECT_TRUE(queues->anomalies.empty());
  // Before 6.18 the group's own entity was taken from the queue, with all that is in it.
  const bool by_task = tasks->rows.at(0).throttled.has_value();
  const int64_t spin = tids_["spin-0"];
  for (const TaskRow& task : tasks->rows) {
    if (by_task) {
      EXPECT_EQ(task.throttled, task.pid == spin ? 1 : 0) << *task.comm;
    }
  }
  std::vector<std::string> where;
  for (const RqTaskRow& row : queues->rows) {
    if (row.pid == spin) where.push_back(row.queue + " of " + row.cgroup.value_or("?"));
  }
  const std::vector<std::string> limbo = {"cfs_throttled of /tight"};
  EXPECT_EQ(where, by_task ? limbo : std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Others, ThrottleGuestTest, testing::ValuesIn(OtherKernels({"newest-7"})),
                         [](const auto& info) { return KernelTestName(info.param); });

}  // namespace
}  // namespace ktstr
