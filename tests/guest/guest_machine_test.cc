// Guests of ours in a QEMU of ours: they boot, work, report, end, and outlive nobody.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "capture/guest/worker_catalog.h"
#include "capture/qemu/ram_map.h"
#include "capture/watch/running_kernel.h"
#include "guest_tests.h"

namespace ktstr {
namespace {

using nlohmann::json;
using testing::HasSubstr;

TEST(GuestMachineTest, A612GuestBootsWorksReportsAndEnds) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  ASSERT_OK(
      (*machine)->StartWorkers(*ParseWorkerSpecs("spin,yield,sleep:2,pipe,futex-wait,threads")));
  EXPECT_THAT((*machine)->release(), testing::StartsWith("6.12."));
  const auto report = (*machine)->Report();
  ASSERT_OK(report);
  std::map<std::string, json> tasks;
  for (const json& task : (*report)["account"]["tasks"]) tasks[task["comm"]] = task;
  for (const char* name : {"ktstr-init", "spin-0", "yield-0", "sleep-0", "sleep-1", "pipe-0a",
                           "pipe-0b", "futex-wait-0", "threads-0a", "threads-0d"}) {
    EXPECT_TRUE(tasks.contains(name)) << name;
  }
  EXPECT_EQ(tasks["ktstr-init"]["pid"], 1);
  EXPECT_EQ(tasks["spin-0"]["state"], "R");
  EXPECT_EQ(tasks["futex-wait-0"]["state"], "S");
  EXPECT_EQ(tasks["threads-0d"]["tgid"], tasks["threads-0a"]["pid"]);
  EXPECT_GT(Rounds(*report), 0u);
  const auto status = (*machine)->PowerOff();
  ASSERT_OK(status);
  EXPECT_EQ(*status, 0);
}

TEST(GuestMachineTest, EveryKindOfWorkerRunsAndCountsItsRounds) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  std::vector<WorkerSpec> workers;
  for (const guest::WorkerEntry& entry : guest::kWorkerCatalog) {
    workers.push_back({.kind = std::string(entry.name), .name = std::string(entry.name)});
  }
  ASSERT_OK((*machine)->StartWorkers(workers));
  std::set<std::string> idle = {"futex-wait", "pipe-wait", "mutex-wait", "zombie"};
  // Each but those has done something when enough time has gone by, of which a busy host needs
  // more.
  std::map<std::string, uint64_t> rounds;
  const auto all_worked = [&] {
    return std::ranges::all_of(guest::kWorkerCatalog, [&](const guest::WorkerEntry& entry) {
      return idle.contains(std::string(entry.name)) || rounds[std::string(entry.name)] > 0;
    });
  };
  for (const Deadline deadline = After(std::chrono::seconds(60));
       !all_worked() && PollTimeout(deadline) > 0;) {
    rounds.clear();
    const auto report = (*machine)->Workers();
    ASSERT_OK(report);
    for (const json& task : (*report)["workers"]) {
      rounds[task["worker"]] += task["rounds"].get<uint64_t>();
      EXPECT_GE(task["ran_ns"], task["gap_ns"]) << task;
    }
  }
  EXPECT_TRUE(all_worked()) << json(rounds);
  for (const std::string& name : idle) EXPECT_EQ(rounds[name], 0u) << name;
}

TEST(GuestMachineTest, WorkersRunWhereAndHowTheyAreAskedTo) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  ASSERT_OK((*machine)->SetUpCgroup("/of-workers"));
  ASSERT_OK((*machine)->StartWorkers(
      {{"sleep", 1, "placed", json{{"cgroup", "/of-workers"}, {"cpus", "1"}, {"nice", 7}}},
       {"sleep", 1, "batch", json{{"policy", "batch"}}},
       {"sleep", 1, "fifo", json{{"policy", "fifo"}, {"priority", 3}}}}));
  const auto report = (*machine)->Report();
  ASSERT_OK(report);
  std::map<std::string, json> tasks;
  for (const json& task : (*report)["account"]["tasks"]) tasks[task["comm"]] = task;
  EXPECT_EQ(tasks["placed-0"]["nice"], 7);
  EXPECT_EQ(tasks["placed-0"]["cpu"], 1);
  EXPECT_EQ(tasks["batch-0"]["policy"], 3);  // SCHED_BATCH, include/uapi/linux/sched.h
  EXPECT_EQ(tasks["fifo-0"]["policy"], 1);
  EXPECT_EQ(tasks["fifo-0"]["rt_priority"], 3);
  ASSERT_OK((*machine)->StopWorkers({"batch"}));
  const auto again = (*machine)->StopWorkers({"batch"});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().ToString(), HasSubstr("no worker 'batch' runs"));
  const auto nowhere = (*machine)->StartWorkers(
      {{"sleep", 1, "lost", nlohmann::json{{"cgroup", "/no-such-cgroup"}}}});
  ASSERT_FALSE(nowhere);
  EXPECT_THAT(nowhere.error().ToString(),
              HasSubstr("worker 'lost-0' did not start: joining cgroup /no-such-cgroup"));
}

TEST(GuestMachineTest, NodesAndCoresAreWhatTheGuestSees) {
  MachineOptions options = Machine();
  options.cpus = 4;
  options.cores = 2;
  options.numa_nodes = 2;
  const auto machine = BootWithWork(options, "sleep");
  ASSERT_OK(machine);
  const auto report = (*machine)->SystemAccount();
  ASSERT_OK(report);
  std::set<json> packages, nodes;
  for (const json& cpu : (*report)["cpus"]) {
    packages.insert(cpu.value("physical_package_id", json()));
    nodes.insert(cpu.value("node", json()));
  }
  EXPECT_EQ(packages.size(), 2u) << (*report)["cpus"];
  EXPECT_EQ(nodes.size(), 2u) << (*report)["cpus"];
  // Its RAM is in two files then, both of which are read.
  const auto ram = FindRam((*machine)->qmp(), (*machine)->qemu().pid());
  ASSERT_OK(ram);
  EXPECT_EQ(ram->files.size(), 2u);
  EXPECT_OK(RunningKernel::Open((*machine)->qmp(), (*machine)->qemu().pid()));
}

TEST(GuestMachineTest, A61GuestBootsWithModulesFromItsPackage) {
  const auto machine = GuestMachine::Boot(Machine("6.1"));
  ASSERT_OK(machine);
  ASSERT_OK((*machine)->StartWorkers(*ParseWorkerSpecs("spin:2,sleep:2")));
  EXPECT_THAT((*machine)->release(), testing::StartsWith("6.1."));
  EXPECT_OK((*machine)->Report());
}

TEST(GuestMachineTest, AnUnknownKindOfWorkerIsRefusedWithTheKindsThereAre) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  const auto started = (*machine)->StartWorkers({{.kind = "spinn"}});
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(started.error().ToString(),
              testing::AllOf(HasSubstr("'spinn'"), HasSubstr("spin, ")));
}

TEST(GuestMachineTest, AGuestThatPanicsOnBootSaysSo) {
  MachineOptions options = Machine();
  options.kernel_cmdline = "rdinit=/nonexistent init=/nonexistent";
  const auto machine = GuestMachine::Boot(options);
  ASSERT_FALSE(machine);
  EXPECT_THAT(machine.error().ToString(), HasSubstr("panic"));
  EXPECT_EQ(ExitCodeFor(machine.error().code()), ExitCode::kEnvironment);
}

TEST(GuestMachineTest, AQemuThatIsKilledIsNamedInTheNextAnswer) {
  const auto machine = GuestMachine::Boot(Machine());
  ASSERT_OK(machine);
  kill((*machine)->qemu().pid(), SIGKILL);
  const auto report = (*machine)->Report();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(report.error().ToString(), HasSubstr("killed by signal 9"));
}

TEST(GuestMachineTest, WhatQemuSaysOfItsCommandLineIsInTheError) {
  MachineOptions options = Machine();
  options.accelerator = Accelerator::kTcg;
  options.extra_arguments = {"-device", "no-such-device"};
  const auto machine = GuestMachine::Boot(options);
  ASSERT_FALSE(machine);
  EXPECT_THAT(machine.error().ToString(), HasSubstr("no-such-device"));
  EXPECT_EQ(ExitCodeFor(machine.error().code()), ExitCode::kEnvironment);
}

TEST(GuestMachineTest, NothingOutlivesAKilledParent) {
  const MachineOptions options = Machine();
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  const pid_t helper = fork();
  if (helper == 0) {
    const auto machine = GuestMachine::Boot(options);
    const pid_t pid = machine ? (*machine)->qemu().pid() : -1;
    std::ignore = write(pipe_fds[1], &pid, sizeof pid);
    for (;;) pause();
  }
  pid_t qemu = -1;
  ASSERT_EQ(read(pipe_fds[0], &qemu, sizeof qemu), ssize_t(sizeof qemu));
  ASSERT_GT(qemu, 0);
  const UniqueFd watched(static_cast<int>(syscall(SYS_pidfd_open, qemu, 0)));
  kill(helper, SIGKILL);
  waitpid(helper, nullptr, 0);
  pollfd waiting = {watched.get(), POLLIN, 0};
  EXPECT_EQ(poll(&waiting, 1, 30'000), 1) << "QEMU still runs";
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

}  // namespace
}  // namespace ktstr
