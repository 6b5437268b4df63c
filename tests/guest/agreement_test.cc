// What a frozen guest's memory says is what the guest's own /proc said just before, and what its
// archive says afterwards is the same again.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/live_memory.h"
#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "libcore/qemu/vcpu_state.h"
#include "fixtures/sample/temporary_directory.h"
#include "guest_kernels.h"
#include "libcore/kernel/object_reader.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/machine.h"
#include "libcore/walk/task/task.h"
#include "ready_guest.h"
#include "replay/frozen_machine.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::HasSubstr;

struct Configuration {
  std::string name;
  std::string kernel;
  int cpus;
  const char* cpu_model;
  bool kaslr;
};

void PrintTo(const Configuration& c, std::ostream* os) { *os << c.name; }

// All tables that the walkers make of one machine.
struct Account {
  Walked<TaskRow> tasks;
  Walked<CpuRow> cpus;
  Walked<LogRow> log;
  Walked<MachineRow> machine;
  std::vector<VcpuRow> vcpus;
};

Result<Account> TakeAccount(const GuestKernel& kernel) {
  return Account{KTSTR_TRY(WalkTasks(kernel)), KTSTR_TRY(WalkCpus(kernel)),
                 KTSTR_TRY(WalkLog(kernel)), WalkMachine(kernel),
                 VcpuRows(kernel.vcpus(), &kernel)};
}

// One guest, frozen at work right after it told what it thinks of itself.
struct FrozenGuest {
  json proc;                         // the guest's own account
  Account live;                      // out of its memory, while frozen
  Account kept;                      // out of the archive
  std::vector<bool> locked;          // by row of live.cpus: somebody is at work on the run queue
  std::chrono::nanoseconds took{0};  // from before the guest was asked until it was frozen
};

Result<std::vector<bool>> HeldQueueLocks(const GuestKernel& kernel,
                                         const std::vector<CpuRow>& cpus) {
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  const Member lock = KTSTR_TRY(types.FindMember("rq", "__lock.raw_lock.val.counter"));
  std::vector<bool> held;
  for (const CpuRow& cpu : cpus) {
    held.push_back(KTSTR_TRY(ObjectReader(kernel, Kva(cpu.rq_kva->value)).Integer(lock)) != 0);
  }
  return held;
}

class AgreementTest : public ::testing::TestWithParam<Configuration> {
 protected:
  Result<FrozenGuest> BootFreezeAndKeep() {
    MachineOptions options;
    options.kernel = StockKernel(GetParam().kernel);
    options.cpus = GetParam().cpus;
    options.cpu_model = GetParam().cpu_model;
    options.kaslr = GetParam().kaslr;
    const auto machine =
        KTSTR_TRY(BootWithWork(options, "spin:2,sleep:3,pipe:1,futex-wait:2,yield:1,threads:1"));
    FrozenGuest guest;
    const auto asked = std::chrono::steady_clock::now();
    guest.proc = KTSTR_TRY(machine->Report())["account"];
    Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine->qmp()));
    guest.took = std::chrono::steady_clock::now() - asked;

    const auto state = KTSTR_TRY(SaveDeviceState(frozen));
    const auto vcpus = KTSTR_TRY(ParseVcpus(*state));
    const auto memory =
        KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(machine->qmp(), machine->qemu().pid()))));
    const auto kernel = KTSTR_TRY(GuestKernel::Open(*memory, vcpus));
    guest.live = KTSTR_TRY(TakeAccount(*kernel));
    guest.locked = KTSTR_TRY(HeldQueueLocks(*kernel, guest.live.cpus.rows));

    CaptureOptions capture;
    capture.output = directory_ / "a.kts";
    capture.pid = machine->qemu().pid();
    KTSTR_TRY(CaptureFrozen(frozen, capture));
    frozen.Abandon();
    const auto archive = KTSTR_TRY(FrozenMachine::Open(capture.output));
    guest.kept = KTSTR_TRY(TakeAccount(*KTSTR_TRY(archive->Kernel())));
    return guest;
  }

  TemporaryDirectory directory_;
};

std::string MachineValue(const Account& account, const std::string& key) {
  for (const MachineRow& row : account.machine.rows) {
    if (row.key == key) return row.value.value_or("(unknown)");
  }
  return "(no such key)";
}

// The live path and the offline path give the same answers, anomalies included, and there are none.
void ExpectSameAnswers(const FrozenGuest& guest) {
  EXPECT_EQ(guest.live.tasks.rows, guest.kept.tasks.rows);
  EXPECT_EQ(guest.live.cpus.rows, guest.kept.cpus.rows);
  EXPECT_EQ(guest.live.log.rows, guest.kept.log.rows);
  EXPECT_EQ(guest.live.machine.rows, guest.kept.machine.rows);
  EXPECT_EQ(guest.live.vcpus, guest.kept.vcpus);
  for (const Account* account : {&guest.live, &guest.kept}) {
    for (const auto* anomalies : {&account->tasks.anomalies, &account->cpus.anomalies,
                                  &account->log.anomalies, &account->machine.anomalies}) {
      for (const AnomalyRow& row : *anomalies)
        ADD_FAILURE() << row.walker << " " << row.kind << ": " << row.detail;
    }
  }
}

void ExpectMachine(const FrozenGuest& guest, const Configuration& configuration) {
  const Account& a = guest.live;
  EXPECT_THAT(guest.proc["version"].get<std::string>(),
              HasSubstr("Linux version " + MachineValue(a, "release")));
  EXPECT_EQ(guest.proc["cmdline"].get<std::string>(), MachineValue(a, "cmdline") + "\n");
  EXPECT_EQ(MachineValue(a, "nr_cpus"), std::to_string(configuration.cpus));
  const bool four_level =
      std::string(configuration.cpu_model).find("la57=off") != std::string::npos;
  EXPECT_EQ(MachineValue(a, "paging_levels"), four_level ? "4" : "5");
  EXPECT_EQ(MachineValue(a, "kaslr_method"), "vmcoreinfo, lstar, idt, cr3");
  if (!configuration.kaslr) {
    EXPECT_EQ(MachineValue(a, "kaslr_offset"), "0x0000000000000000");
  }
  // By ticks, which a slow host makes late, and early by no more than the one that is counted before
  // its time is full: they are no later than the freeze was.
  constexpr int64_t kTickNs = 10'000'000;  // of the slowest HZ, 100
  const auto before_ns = guest.proc["before"]["monotonic_ns"].get<int64_t>();
  const int64_t uptime_ns = std::stoll(MachineValue(a, "uptime_ns"));
  EXPECT_LE(uptime_ns, before_ns + guest.took.count() + kTickNs);
  EXPECT_GE(uptime_ns, before_ns - int64_t{20'000'000'000});
}

// A kernel thread's name in /proc may go on behind the 15 characters of comm or tell its work.
bool SameName(const TaskRow& row, const std::string& in_proc) {
  return row.is_kthread == 1
             ? in_proc.starts_with(*row.comm) || row.comm->starts_with(in_proc.substr(0, 15))
             : row.comm == in_proc;
}

// In task.__state while a task that is woken is not on a run queue yet; 'R' for ps.
// Source: TASK_WAKING in include/linux/sched.h.
constexpr uint64_t kTaskWaking = 0x200;

// Field by field, for the tasks that live across both moments. Returns how many of them stood still
// in between, so that their state can be compared strictly.
size_t ExpectTasks(const FrozenGuest& guest) {
  std::map<int64_t, const TaskRow*> by_pid;
  for (const TaskRow& row : guest.live.tasks.rows) {
    if (row.pid != 0) by_pid[*row.pid] = &row;
  }
  const auto ticks = guest.proc["ticks_per_second"].get<int64_t>();
  const int64_t tick_ns = 1'000'000'000 / ticks;
  size_t stood_still = 0;
  for (const json& task : guest.proc["tasks"]) {
    const auto pid = task["pid"].get<int64_t>();
    const std::string name = task["comm"].get<std::string>();
    SCOPED_TRACE(std::to_string(pid) + " " + name);
    const auto found = by_pid.find(pid);
    // Only kernel threads come and go in this guest.
    if (found == by_pid.end() ||
        found->second->start_boottime_ns.value() / tick_ns != task["start_ticks"]) {
      EXPECT_TRUE(name.starts_with("kworker") || name.starts_with("cpuhp"))
          << "not in the frozen guest";
      continue;
    }
    const TaskRow& row = *found->second;
    EXPECT_EQ(row.tgid, task["tgid"].get<int64_t>());
    EXPECT_EQ(row.ppid, task["ppid"].get<int64_t>());
    EXPECT_PRED2(SameName, row, name);
    EXPECT_EQ(row.policy, task["policy"].get<int64_t>());
    EXPECT_EQ(*row.static_prio - 120, task["nice"].get<int64_t>());
    EXPECT_EQ(*row.prio - 100, task["priority"].get<int64_t>());
    EXPECT_EQ(row.rt_priority, task["rt_priority"].get<int64_t>());
    EXPECT_GE(*row.nvcsw, task["nvcsw"].get<int64_t>());
    EXPECT_GE(*row.nivcsw, task["nivcsw"].get<int64_t>());

    // A task that was not switched, does not run or wait now and is not being woken (TASK_WAKING:
    // not on its queue yet) has not moved at all.
    const bool switched = *row.nvcsw != task["nvcsw"] || *row.nivcsw != task["nivcsw"];
    const bool waking = (row.state_raw->value & kTaskWaking) != 0;
    if (switched || waking || *row.on_cpu != 0 || *row.on_rq != 0) continue;
    ++stood_still;
    EXPECT_EQ(row.state, task["state"].get<std::string>());
    EXPECT_EQ(row.cpu, task["cpu"].get<int64_t>());
    // Time on a CPU, time waiting for one, and how often it got one: all to the nanosecond.
    const std::string schedstat =
        fmt::format("{} {} {}\n", *row.sum_exec_runtime_ns, row.run_delay_ns.value_or(-1),
                    row.pcount.value_or(-1));
    EXPECT_EQ(schedstat, task["schedstat"].get<std::string>());
    EXPECT_EQ(row.waiting_ns, std::nullopt);
    // /proc scales user and system time so that they add up to the scheduler's own account.
    const auto proc_ticks = task["utime_ticks"].get<int64_t>() + task["stime_ticks"].get<int64_t>();
    EXPECT_NEAR(static_cast<double>(*row.sum_exec_runtime_ns / tick_ns),
                static_cast<double>(proc_ticks), 2);
  }
  return stood_still;
}

void ExpectRunQueues(const FrozenGuest& guest, const Configuration& configuration) {
  ASSERT_EQ(guest.live.cpus.rows.size(), static_cast<size_t>(configuration.cpus));
  int64_t switches = 0;
  for (size_t i = 0; i < guest.live.cpus.rows.size(); ++i) {
    const CpuRow& cpu = guest.live.cpus.rows[i];
    SCOPED_TRACE("CPU " + std::to_string(cpu.cpu));
    EXPECT_EQ(cpu.online, 1);
    switches += *cpu.nr_switches;
    int64_t queued = 0;
    bool switching = false;
    for (const TaskRow& task : guest.live.tasks.rows) {
      if (task.cpu != cpu.cpu || task.sched_class == "idle") continue;
      queued += *task.on_rq == 1;
      switching |= *task.on_cpu == 1 && cpu.curr_kva != task.task_kva;
    }
    // In the middle of a switch a task may be off the count and still marked.
    if (!switching) {
      EXPECT_NEAR(static_cast<double>(*cpu.nr_running), static_cast<double>(queued), 1);
    }
    // A class counts a task before the queue does, under the queue's lock.
    EXPECT_NEAR(static_cast<double>(*cpu.nr_running),
                static_cast<double>(*cpu.cfs_nr_running + *cpu.rt_nr_running + *cpu.dl_nr_running),
                guest.locked[i] ? 1 : 0);
  }
  const std::string stat = guest.proc["stat"].get<std::string>();
  const int64_t before = std::stoll(stat.substr(stat.find("ctxt ") + 5));
  EXPECT_GE(switches, before);
  EXPECT_LT(switches, before + 1'000'000);
}

// Every line that the guest's syslog showed is in the frozen log, in that order.
void ExpectLog(const FrozenGuest& guest) {
  const auto& rows = guest.live.log.rows;
  size_t at = 0, lines = 0;
  std::istringstream log(guest.proc["log"].get<std::string>());
  for (std::string line; std::getline(log, line);) {
    const size_t end_of_time = line.find("] ");
    if (!line.starts_with("<") || end_of_time == std::string::npos) continue;
    const std::string text = line.substr(end_of_time + 2);
    ++lines;
    while (at < rows.size() && rows[at].text.value_or("").find(text) == std::string::npos) ++at;
    ASSERT_LT(at, rows.size()) << "not in the frozen log: " << line;
  }
  EXPECT_GT(lines, 50u);
}

TEST_P(AgreementTest, MemoryAgreesWithProcAndTheArchiveWithMemory) {
  const auto guest = BootFreezeAndKeep();
  ASSERT_TRUE(guest) << guest.error().ToString();
  ExpectSameAnswers(*guest);
  ExpectMachine(*guest, GetParam());
  // Kernel threads alone are some forty; a comparison of fewer proves little.
  EXPECT_GT(ExpectTasks(*guest), 20u);
  ExpectRunQueues(*guest, GetParam());
  ExpectLog(*guest);
}

INSTANTIATE_TEST_SUITE_P(
    Stock, AgreementTest,
    ::testing::Values(Configuration{"Linux612FiveLevel", "6.12", 2, "max", true},
                      Configuration{"Linux612FourLevel", "6.12", 2, "max,la57=off", true},
                      Configuration{"Linux612NoKaslr", "6.12", 2, "max", false},
                      Configuration{"Linux612OneCpu", "6.12", 1, "max", true},
                      Configuration{"Linux612FourCpus", "6.12", 4, "max", true},
                      Configuration{"Linux61FiveLevel", "6.1", 2, "max", true},
                      Configuration{"Linux61FourLevel", "6.1", 2, "max,la57=off", true},
                      Configuration{"Linux61NoKaslr", "6.1", 2, "max", false},
                      Configuration{"Linux61OneCpu", "6.1", 1, "max", true},
                      Configuration{"Linux61FourCpus", "6.1", 4, "max", true}),
    [](const auto& info) { return info.param.name; });

std::vector<Configuration> Others() {
  std::vector<Configuration> others;
  for (const std::string& kernel : OtherKernels({"newest-6", "newest-7"})) {
    others.push_back({KernelTestName(kernel), kernel, 2, "max", true});
  }
  return others;
}
INSTANTIATE_TEST_SUITE_P(Others, AgreementTest, ::testing::ValuesIn(Others()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace ktstr
