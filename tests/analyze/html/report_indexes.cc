#include "report_indexes.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "analyze/findings/findings.h"
#include "analyze/views/views.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/system/machine.h"
#include "libcore/walk/system/topology.h"
#include "libcore/walk/task/task.h"

namespace ktstr {

namespace {

constexpr uint64_t kTasksAt = 0xffff888000000000, kIdleAt = 0xffff888100000000,
                   kDsqAt = 0xffff888200000000;
constexpr int kDepth = 10;

template <typename Row>
void Add(Tables& tables, std::vector<Row> rows) {
  tables.push_back(std::make_unique<RowSet<Row>>(std::move(rows)));
}

TaskRow MakeTask(int number, int cpus, const std::string& comm) {
  TaskRow task;
  task.pid = 1000 + number;
  task.tgid = task.pid;
  task.comm = fmt::format("{}-{}", comm, number);
  const bool waits = number % 4 == 0;
  task.state = waits ? "R" : "S";
  task.on_rq = waits ? 1 : 0;
  task.on_cpu = 0;
  task.cpu = number % cpus;
  task.sched_class = number % 8 == 0 ? "ext" : "fair";
  task.prio = 120;
  if (waits) task.waiting_ns = int64_t{1000} * (number + 1) * (number % 97 + 1);
  task.nvcsw = (number * 7919) % 10007;
  task.sum_exec_runtime_ns = int64_t{12345} * number;
  task.affinity = "0-3";
  task.cgroup = fmt::format("/group-{}", number % 10);
  task.task_kva = Hex(kTasksAt + static_cast<uint64_t>(number) * 0x2000);
  return task;
}

void AddFrames(std::vector<StackFrameRow>& frames, const TaskRow& task, int kind) {
  for (int depth = 0; depth <= kDepth; ++depth) {
    StackFrameRow frame;
    frame.pid = task.pid;
    frame.cpu = task.cpu;
    frame.depth = depth;
    frame.kind = depth == kDepth ? "end" : "call";
    if (depth == kDepth) {
      frame.reason = "end of stack";
    } else {
      frame.symbol = fmt::format("function_{}_{}", depth, depth < 3 ? 0 : kind);
      frame.offset = 16 * depth;
      frame.ip = Hex(0xffffffff81000000 + static_cast<uint64_t>(kind * 4096 + depth * 64));
    }
    frame.task_kva = *task.task_kva;
    frames.push_back(frame);
  }
}

// Where a task that waits is queued.
void AddQueued(const TaskRow& task, std::vector<RqTaskRow>& queued,
               std::vector<DsqTaskRow>& in_dsq) {
  if (*task.on_rq == 0) return;
  if (task.sched_class == "ext") {
    DsqTaskRow row;
    row.dsq_id = Hex(0x3e8);
    row.position = static_cast<int64_t>(in_dsq.size());
    row.pid = task.pid;
    row.comm = task.comm;
    row.task_kva = task.task_kva;
    row.dsq_kva = Hex(kDsqAt);
    in_dsq.push_back(row);
    return;
  }
  RqTaskRow row;
  row.cpu = *task.cpu;
  row.queue = "cfs";
  row.position = static_cast<int64_t>(queued.size());
  row.pid = task.pid;
  row.comm = task.comm;
  row.task_kva = task.task_kva;
  queued.push_back(row);
}

void AddCpus(Tables& tables, int cpus) {
  std::vector<CpuRow> rows;
  std::vector<TopologyRow> places;
  for (int cpu = 0; cpu < cpus; ++cpu) {
    CpuRow row;
    row.cpu = cpu;
    row.online = 1;
    row.curr_pid = 0;
    row.curr_comm = fmt::format("swapper/{}", cpu);
    row.nr_running = cpu % 3;
    row.curr_kva = row.idle_kva = Hex(kIdleAt + static_cast<uint64_t>(cpu) * 0x2000);
    rows.push_back(row);
    TopologyRow place;
    place.cpu = cpu;
    place.online = 1;
    place.package = cpu / 128;
    place.die = 0;
    place.llc = cpu / 16;
    place.core = cpu / 2;
    places.push_back(place);
  }
  Add(tables, std::move(rows));
  Add(tables, std::move(places));
}

}  // namespace

Database MakeIndex(Tables tables) {
  for (const TableInfo* info : AllTableInfos()) {
    const bool there = std::any_of(tables.begin(), tables.end(),
                                   [&](const auto& table) { return &table->info() == info; });
    if (!there && !IsMadeOfOthers(*info)) {
      tables.push_back(std::make_unique<EmptyTable>(*info));
    }
  }
  auto index = Database::InMemory();
  EXPECT_TRUE(index);
  for (const auto& table : tables) EXPECT_TRUE(index->AddTable(*table));
  EXPECT_TRUE(AddViews(*index));
  EXPECT_TRUE(AddFindings(*index));
  return *std::move(index);
}

Tables CrowdedMachine(int tasks, int cpus, const std::string& comm) {
  std::vector<TaskRow> rows;
  std::vector<StackFrameRow> frames;
  std::vector<RqTaskRow> queued;
  std::vector<DsqTaskRow> in_dsq;
  for (int number = 0; number < tasks; ++number) {
    rows.push_back(MakeTask(number, cpus, comm));
    AddFrames(frames, rows.back(), number % 131);
    AddQueued(rows.back(), queued, in_dsq);
  }
  DsqRow dsq;
  dsq.dsq_id = Hex(0x3e8);
  dsq.kind = "user";
  dsq.nr = dsq.listed = static_cast<int64_t>(in_dsq.size());
  dsq.dsq_kva = Hex(kDsqAt);
  Tables tables;
  Add(tables, std::move(rows));
  Add(tables, std::move(frames));
  Add(tables, std::move(queued));
  Add(tables, std::vector<DsqRow>{dsq});
  Add(tables, std::move(in_dsq));
  AddCpus(tables, cpus);
  return tables;
}

}  // namespace ktstr
