// What the walkers make of frozen guests in which a sched_ext scheduler runs, or is ending: the
// queues, the scheduler's state, its BPF maps and programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "fixtures/sample/temporary_directory.h"
#include "frozen_guest.h"
#include "guest_tests.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/prog.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/task/task.h"

namespace ktstr {
namespace {

using nlohmann::json;
using synthetic::TemporaryDirectory;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kVtime[] = "/vtime.bpf.o";

struct Account {
  Walked<TaskRow> tasks;
  Walked<RqTaskRow> rq_tasks;
  ScxState scx;
  DsqState dsqs;
  BpfMaps maps;
  Walked<BpfProgRow> progs;
  Walked<BpfLinkRow> links;
};

Result<Account> TakeAccount(const GuestKernel& kernel) {
  return Account{KTSTR_TRY(WalkTasks(kernel)),   KTSTR_TRY(WalkRqTasks(kernel)),
                 KTSTR_TRY(WalkScx(kernel)),     KTSTR_TRY(WalkDsqs(kernel)),
                 KTSTR_TRY(WalkBpfMaps(kernel)), KTSTR_TRY(WalkBpfProgs(kernel)),
                 KTSTR_TRY(WalkBpfLinks(kernel))};
}

void ExpectNoAnomalies(const Account& a) {
  ktstr::ExpectNoAnomalies({&a.tasks.anomalies, &a.rq_tasks.anomalies, &a.scx.anomalies,
                            &a.dsqs.anomalies, &a.maps.anomalies, &a.progs.anomalies,
                            &a.links.anomalies});
}

void ExpectEqual(const Account& live, const Account& kept) {
  EXPECT_EQ(live.tasks.rows, kept.tasks.rows);
  EXPECT_EQ(live.rq_tasks.rows, kept.rq_tasks.rows);
  EXPECT_EQ(live.scx.schedulers, kept.scx.schedulers);
  EXPECT_EQ(live.scx.ops, kept.scx.ops);
  EXPECT_EQ(live.dsqs.dsqs, kept.dsqs.dsqs);
  EXPECT_EQ(live.dsqs.tasks, kept.dsqs.tasks);
  EXPECT_EQ(live.maps.maps, kept.maps.maps);
  EXPECT_EQ(live.maps.values, kept.maps.values);
  EXPECT_EQ(live.progs.rows, kept.progs.rows);
}

class SchedWalkGuestTest : public testing::TestWithParam<std::string> {
 protected:
  void Boot(const char* work, int cpus) {
    MachineOptions options;
    options.kernel = AnyKernel(GetParam());
    options.qemu = QemuForSchedulers();
    options.cpus = cpus;
    options.files = {{KTSTR_SCHEDULER_DIR "/vtime.bpf.o", kVtime}};
    auto machine = BootWithWork(options, work);
    ASSERT_OK(machine);
    machine_ = std::move(*machine);
  }

  // The account of the archive, which is the same as that of the memory.
  void FreezeAndWalk() {
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

  const DsqRow* FindDsq(const std::string& kind, uint64_t id) const {
    for (const DsqRow& row : account_.dsqs.dsqs) {
      if (row.kind == kind && row.dsq_id == Hex(id)) return &row;
    }
    return nullptr;
  }
  // The value of a global variable of the scheduler's, as JSON text.
  std::string Variable(const std::string& name) const {
    for (const BpfMapValueRow& row : account_.maps.values) {
      if (row.key == "\"" + name + "\"") return row.value;
    }
    return "(no variable of that name)";
  }

  TemporaryDirectory directory_;
  std::unique_ptr<GuestMachine> machine_;
  Account account_;
};

TEST_P(SchedWalkGuestTest, AStallShowsItsQueueAndWhoWaitsInIt) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:5,sleep:2", 2));
  // Longer than this test takes: the watchdog looks on.
  ASSERT_OK(machine_->LoadScheduler(kVtime, {{"vtime_ops.timeout_ms", 25000}}));
  ASSERT_OK(machine_->SetSchedulerVariable("stall", 1));
  const auto state = machine_->SchedulerState();
  ASSERT_OK(state);
  ASSERT_NO_FATAL_FAILURE(FreezeAndWalk());

  ASSERT_EQ(account_.scx.schedulers.size(), 1u);
  const ScxRow& scx = account_.scx.schedulers[0];
  EXPECT_EQ(scx.ops_name, "ktstr_vtime");
  EXPECT_EQ(scx.enable_state, "enabled");
  EXPECT_EQ(scx.switch_all, 1);
  EXPECT_EQ(scx.bypass_depth, 0);
  EXPECT_EQ(scx.enable_seq, std::stoll((*state)["sched_ext"]["enable_seq"].get<std::string>()));
  EXPECT_EQ(scx.nr_rejected, std::stoll((*state)["sched_ext"]["nr_rejected"].get<std::string>()));
  EXPECT_EQ(scx.timeout_ms, 25000);
  EXPECT_EQ(scx.watchdog_timeout_ms, 25000);
  EXPECT_EQ(scx.exit_kind, "none");
  EXPECT_EQ(scx.exit_message, std::nullopt);

  // Who wants to run waits in the scheduler's own queue, in order of virtual time.
  const DsqRow* queue = FindDsq("user", 0);
  ASSERT_NE(queue, nullptr);
  EXPECT_GE(queue->listed, 3);
  EXPECT_EQ(queue->nr, queue->listed);
  EXPECT_EQ(queue->by_vtime, queue->listed);
  std::map<int64_t, const DsqTaskRow*> by_vtime;
  std::vector<int64_t> waiting;
  for (const DsqTaskRow& row : account_.dsqs.tasks) {
    if (row.dsq_kva != queue->dsq_kva) continue;
    by_vtime[row.vtime_position.value()] = &row;
    waiting.push_back(row.pid.value());
  }
  ASSERT_EQ(by_vtime.size(), static_cast<size_t>(queue->listed));
  for (size_t i = 1; i < by_vtime.size(); ++i) {
    EXPECT_LE(static_cast<int64_t>(by_vtime[i - 1]->vtime->value - by_vtime[i]->vtime->value), 0);
  }
  // A waiting task says the same of itself.
  size_t confirmed = 0;
  for (const TaskRow& task : account_.tasks.rows) {
    if (std::find(waiting.begin(), waiting.end(), task.pid) == waiting.end()) continue;
    ++confirmed;
    EXPECT_EQ(task.sched_class, "ext");
    EXPECT_EQ(task.scx_dsq_id, Hex(uint64_t{0}));
    EXPECT_EQ(task.state, "R");
  }
  EXPECT_EQ(confirmed, waiting.size());
  // Who waits for longest is in some queue: this one, or that of a CPU which init, above all, has.
  std::vector<int64_t> queued;
  for (const DsqTaskRow& row : account_.dsqs.tasks) queued.push_back(row.pid.value());
  EXPECT_THAT(queued, Contains(scx.oldest_runnable_pid.value()));
  for (const TaskRow& task : account_.tasks.rows) {
    if (std::find(waiting.begin(), waiting.end(), task.pid) == waiting.end()) continue;
    EXPECT_LE(task.scx_waiting_ms, scx.oldest_waiting_ms) << *task.comm;
  }
  // Each CPU's list of runnable tasks has them, too.
  std::vector<int64_t> runnable;
  for (const RqTaskRow& row : account_.rq_tasks.rows) {
    if (row.queue == "scx_runnable") runnable.push_back(row.pid.value());
  }
  for (const int64_t pid : waiting) EXPECT_THAT(runnable, Contains(pid));
  // Local queues of both CPUs and the node's global one exist, and are empty.
  EXPECT_NE(FindDsq("local", 0x8000000000000002), nullptr);
  EXPECT_NE(FindDsq("global", 0x8000000000000001), nullptr);
}

TEST_P(SchedWalkGuestTest, CallbacksMapsAndVariablesAreReadByName) {
  ASSERT_NO_FATAL_FAILURE(Boot("spin:2,yield:1", 2));
  ASSERT_OK(machine_->LoadScheduler(
      kVtime, {{"slice_ns", 3'000'000}, {"self_exit_message", "not \"yet\""}}));
  const auto report = machine_->Report();
  ASSERT_OK(report);
  const auto state = machine_->SchedulerState();
  ASSERT_OK(state);
  ASSERT_NO_FATAL_FAILURE(FreezeAndWalk());

  std::map<std::string, const ScxOpRow*> ops;
  for (const ScxOpRow& row : account_.scx.ops) ops[row.op] = &row;
  std::map<int64_t, const BpfProgRow*> progs;
  for (const BpfProgRow& row : account_.progs.rows) progs[row.id] = &row;
  for (const char* name : {"select_cpu", "enqueue", "dispatch", "running", "stopping", "enable",
                           "init_task", "init", "exit"}) {
    SCOPED_TRACE(name);
    ASSERT_TRUE(ops.contains(name));
    EXPECT_EQ(ops[name]->set, 1);
    ASSERT_TRUE(ops[name]->prog_id);
    const BpfProgRow* prog = progs[*ops[name]->prog_id];
    ASSERT_NE(prog, nullptr);
    EXPECT_EQ(prog->type, "struct_ops");
    EXPECT_EQ(prog->name, ops[name]->prog_name);
    EXPECT_EQ(prog->attached_to, std::string("sched_ext_ops.") + name);
    EXPECT_GT(prog->jited_bytes, 0);
  }
  EXPECT_EQ(ops["cpu_acquire"]->set, 0);
  EXPECT_EQ(ops["cpu_acquire"]->prog_id, std::nullopt);

  // Every variable that the guest's own mapping of the sections shows and that stands still.
  EXPECT_EQ(Variable("slice_ns"), "3000000");
  EXPECT_EQ(Variable("self_exit_message"), "\"not \\\"yet\\\"\"");
  EXPECT_EQ(Variable("stall"), "0");
  for (const char* name : {"nr_nodes", "lost_pid", "nr_cgroups", "exited"}) {
    EXPECT_EQ(Variable(name), (*state)["variables"][name].dump()) << name;
  }
  EXPECT_GE(std::stoull(Variable("vtime_now")), (*state)["variables"]["vtime_now"]);

  std::map<std::string, const BpfMapRow*> maps;
  for (const BpfMapRow& row : account_.maps.maps) maps[*row.name] = &row;
  ASSERT_TRUE(maps.contains("stats"));
  EXPECT_EQ(maps["stats"]->type, "percpu_array");
  ASSERT_TRUE(maps.contains("task_contexts"));
  EXPECT_EQ(maps["task_contexts"]->type, "task_storage");
  // A value for each CPU; enqueued tasks are counted.
  int64_t enqueued = 0;
  std::vector<int64_t> cpus;
  for (const BpfMapValueRow& row : account_.maps.values) {
    if (row.map_id != maps["stats"]->id || row.key != "1") continue;
    cpus.push_back(row.cpu.value());
    enqueued += std::stoll(row.value);
  }
  EXPECT_THAT(cpus, testing::ElementsAre(0, 1));
  EXPECT_GT(enqueued, 0);
  // The storage of each worker, joined to its task.
  std::map<int64_t, json> storage;
  for (const BpfMapValueRow& row : account_.maps.values) {
    if (row.map_id != maps["task_contexts"]->id) continue;
    ASSERT_TRUE(row.pid);
    storage[*row.pid] = json::parse(row.value);
  }
  EXPECT_EQ(maps["task_contexts"]->entries, static_cast<int64_t>(storage.size()));
  for (const json& worker : (*report)["workers"]) {
    const auto tid = worker["tid"].get<int64_t>();
    ASSERT_TRUE(storage.contains(tid)) << worker;
    EXPECT_GT(storage[tid]["runs"], 0) << worker;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, SchedWalkGuestTest,
                         testing::ValuesIn(OwnAndOtherKernels({"small", "distribution"},
                                                              {"newest-7"})),
                         [](const auto& info) { return KernelTestName(info.param); });

}  // namespace
}  // namespace ktstr
