// What the walker makes of a frozen guest's cgroups is what their files said just before.
#include <gmock/gmock.h>

#include <sstream>

#include "system_walk_guest.h"

namespace ktstr {
namespace {

using nlohmann::json;

// The number after "key " in a file of such lines.
std::optional<int64_t> NumberIn(const json& files, const char* file, const std::string& key) {
  if (!files.contains(file)) return std::nullopt;
  std::istringstream lines(files[file].get<std::string>());
  for (std::string name, value; lines >> name >> value;) {
    if (name == key) return std::stoll(value);
  }
  return std::nullopt;
}

class CgroupGuestTest : public SystemWalkGuest {
 protected:
  Status SetUpCgroups(GuestMachine& guest) {
    KTSTR_TRY(guest.SetUpCgroup("/limited", {{"cpu.weight", "250"},
                                             {"cpu.max", "20000 100000"},
                                             {"cpuset.cpus", "1-2"},
                                             {"cgroup.procs", {tids_["spin-0"]}}}));
    KTSTR_TRY(guest.SetUpCgroup("/outer/inner",
                                {{"cpu.weight", "20"},
                                 {"cpuset.cpus", ""},
                                 {"cgroup.procs", {tids_["sleep-0"], tids_["threads-0a"]}}}));
    KTSTR_TRY(guest.SetUpCgroup("/outer/idle", {{"cpu.idle", "1"}}));
    return guest.SetUpCgroup("/ice", {{"cgroup.freeze", "1"}, {"cgroup.procs", {tids_["spin-1"]}}});
  }

  // Asks until the cgroup says that all of its tasks are frozen.
  // Until the number in that file is `least` or more.
  void Await(const std::string& path, const char* file, const char* key, int64_t least) {
    const Deadline deadline = After(std::chrono::seconds(60));
    while (std::chrono::steady_clock::now() < deadline) {
      const auto system = machine_->SystemAccount();
      ASSERT_OK(system);
      for (const json& cgroup : (*system)["cgroups"]) {
        if (cgroup["path"] != path) continue;
        if (NumberIn(cgroup["files"], file, key).value_or(0) >= least) return;
      }
    }
    FAIL() << path << "/" << file << ": " << key << " did not become " << least;
  }

  const CgroupRow* FindCgroup(const std::string& path) const {
    for (const CgroupRow& row : account_.cgroups.rows) {
      if (row.path == path) return &row;
    }
    return nullptr;
  }
};

TEST_P(CgroupGuestTest, CgroupsAreAsTheirFilesShow) {
  ASSERT_NO_FATAL_FAILURE(
      Boot({{.kind = "spin", .count = 3}, {.kind = "threads"}, {.kind = "sleep", .count = 2}},
           [this](GuestMachine& guest) { return SetUpCgroups(guest); }));
  ASSERT_NO_FATAL_FAILURE(Await("/ice", "cgroup.events", "frozen", 1));
  ASSERT_NO_FATAL_FAILURE(Await("/limited", "cpu.stat", "nr_periods", 1));
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

INSTANTIATE_TEST_SUITE_P(Kernels, CgroupGuestTest, testing::Values("6.12", "6.1", "small"),
                         [](const auto& info) {
                           std::string name = std::string("Linux") + info.param;
                           std::erase(name, '.');
                           return name;
                         });

INSTANTIATE_TEST_SUITE_P(Others, CgroupGuestTest, testing::ValuesIn(OtherKernels({"newest-7"})),
                         [](const auto& info) { return KernelTestName(info.param); });

}  // namespace
}  // namespace ktstr
