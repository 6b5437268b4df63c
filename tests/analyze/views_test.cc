// Views answer common questions from the tables.
#include "analyze/views/views.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "analyze/index/tables.h"
#include "analyze/text/output.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/task/task.h"
#include "libcore/walk/wait/wait.h"

namespace ktstr {
namespace {

using ::testing::ElementsAre;

// An index of the rows that were added, all other tables empty, with all views.
class ViewsTest : public ::testing::Test {
 protected:
  template <typename Row>
  void Add(std::vector<Row> rows) {
    EXPECT_TRUE(index_.AddTable(RowSet<Row>(std::move(rows))));
    added_.push_back(&Row::Table().info);
  }
  // Each row as text, the cells separated by "|".
  std::vector<std::string> Ask(const std::string& sql) {
    Finish();
    const auto result = index_.Query(sql);
    if (!result) return {result.error().ToString()};
    std::vector<std::string> rows;
    for (const auto& row : result->rows) {
      std::string text;
      for (const Value& cell : row) text += (text.empty() ? "" : "|") + ToDisplay(cell);
      rows.push_back(text);
    }
    return rows;
  }
  void Finish() {
    if (finished_) return;
    for (const TableInfo* info : AllTableInfos()) {
      if (std::find(added_.begin(), added_.end(), info) != added_.end()) continue;
      EXPECT_TRUE(index_.AddTable(EmptyTable(*info)));
    }
    const Status added = AddViews(index_);
    EXPECT_TRUE(added) << added.error().ToString();
    finished_ = true;
  }

  static TaskRow Task(int64_t pid, const std::string& comm) {
    TaskRow task;
    task.pid = pid;
    task.comm = comm;
    task.task_kva = Hex(0x1000 + static_cast<uint64_t>(pid));
    return task;
  }
  static LockWaitRow Wait(int64_t pid, const std::string& comm, int64_t owner_pid,
                          const std::string& owner) {
    LockWaitRow wait;
    wait.pid = pid;
    wait.comm = comm;
    wait.kind = "mutex";
    wait.lock_kva = Hex(0x77);
    wait.owner_pid = owner_pid;
    wait.owner_comm = owner;
    wait.owner_kva = Hex(0x1000 + static_cast<uint64_t>(owner_pid));
    wait.task_kva = Hex(0x1000 + static_cast<uint64_t>(pid));
    return wait;
  }

  Database index_ = Database::InMemory().value();
  std::vector<const TableInfo*> added_;
  bool finished_ = false;
};

TEST_F(ViewsTest, EachIsDescribedColumnByColumnAndCanBeAsked) {
  Finish();
  EXPECT_FALSE(Views().empty());
  for (const View& view : Views()) {
    const auto result = index_.Query("SELECT * FROM " + std::string(view.name));
    ASSERT_TRUE(result) << view.name << ": " << result.error().ToString();
    EXPECT_FALSE(view.meaning.empty()) << view.name;
    std::vector<std::string> names;
    for (const ViewColumn& column : view.columns) {
      EXPECT_FALSE(column.meaning.empty()) << view.name << "." << column.name;
      names.push_back(column.name);
    }
    EXPECT_EQ(names, result->columns) << view.name;
  }
}

TEST_F(ViewsTest, RunnableSaysWhereATaskWaitsAndHowLong) {
  TaskRow fair = Task(1, "fair"), ext = Task(2, "ext"), runs = Task(3, "runs"),
          unknown = Task(4, "unknown");
  for (TaskRow* task : {&fair, &ext, &runs, &unknown}) task->on_rq = 1, task->on_cpu = 0;
  runs.on_cpu = 1;
  fair.waiting_ns = 5;
  fair.scx_waiting_ms = 0;
  ext.scx_waiting_ms = 3;
  Add<TaskRow>({fair, ext, runs, unknown});
  Add<RqTaskRow>({{.cpu = 0, .queue = "cfs", .position = 1, .task_kva = Hex(0x1001)},
                  {.cpu = 0, .queue = "scx_runnable", .position = 0, .task_kva = Hex(0x1002)}});
  Add<DsqRow>({{.dsq_id = Hex(7), .kind = "user", .dsq_kva = Hex(0x70)}});
  Add<DsqTaskRow>(
      {{.dsq_id = Hex(7), .position = 4, .task_kva = Hex(0x1002), .dsq_kva = Hex(0x70)}});
  EXPECT_THAT(Ask("SELECT pid, queue, position, waiting_ns FROM runnable"),
              ElementsAre("2|user DSQ 0x0000000000000007|4|3000000", "1|cfs|1|5", "4|-|-|-"));
}

TEST_F(ViewsTest, CpuNowSaysHowLongATaskHasHadItsCpu) {
  CpuRow busy, idle;
  busy.cpu = 0, idle.cpu = 1;
  busy.clock_ns = 90, idle.clock_ns = 100;
  busy.curr_kva = Hex(0x1005), busy.idle_kva = Hex(0x1), busy.curr_pid = 5;
  idle.curr_kva = idle.idle_kva = Hex(0x2), idle.curr_pid = 0;
  TaskRow task = Task(5, "spin");
  task.sched_class = "fair";
  task.last_arrival_ns = 40;
  Add<CpuRow>({busy, idle});
  Add<TaskRow>({task});
  Add<RqTaskRow>({{.cpu = 0, .queue = "cfs", .position = 0, .pid = 5, .comm = "spin", .running = 1},
                  {.cpu = 0, .queue = "cfs", .position = 2, .pid = 7, .comm = "b", .running = 0},
                  {.cpu = 0, .queue = "cfs", .position = 1, .pid = 6, .comm = "a", .running = 0}});
  EXPECT_THAT(Ask("SELECT cpu, pid, class, running_ns, waiting FROM cpu_now"),
              ElementsAre("0|5|fair|60|a (6), b (7)", "1|0|-|-|-"));
}

TEST_F(ViewsTest, DsqDepthNamesWhoHasWaitedLongest) {
  Add<DsqRow>({{.dsq_id = Hex(7), .kind = "user", .nr = 2, .dsq_kva = Hex(0x70)},
               {.dsq_id = Hex(8), .kind = "user", .nr = 0, .dsq_kva = Hex(0x80)}});
  Add<DsqTaskRow>({{.position = 0, .pid = 1, .comm = "a", .waiting_ms = 10, .dsq_kva = Hex(0x70)},
                   {.position = 1, .pid = 2, .comm = "b", .waiting_ms = 30, .dsq_kva = Hex(0x70)}});
  EXPECT_THAT(Ask("SELECT dsq_id, nr, found, longest_waiting_ms, longest_pid FROM dsq_depth"),
              ElementsAre("0x0000000000000007|2|2|30|2"));
}

TEST_F(ViewsTest, SchedulerNamesTellSubSchedulersApart) {
  Add<ScxRow>({{.scheduler = 0, .level = 0, .cgroup = "/", .ops_name = "qmap"},
               {.scheduler = 1, .level = 1, .cgroup = "/a", .ops_name = "qmap"},
               {.scheduler = 2}});
  EXPECT_THAT(Ask("SELECT scheduler, name FROM scheduler_name"),
              ElementsAre("0|qmap", "1|qmap of cgroup /a", "2|(unloaded)"));
}

TEST_F(ViewsTest, AQueueOfASubSchedulersTellsWhoseItIs) {
  Add<ScxRow>({{.scheduler = 0, .level = 0, .ops_name = "qmap"},
               {.scheduler = 1, .level = 1, .cgroup = "/a", .ops_name = "qmap"}});
  TaskRow waiting = Task(1, "a");
  waiting.on_rq = 1;
  waiting.on_cpu = 0;
  Add<TaskRow>({waiting});
  Add<DsqRow>({{.dsq_id = Hex(7), .kind = "user", .scheduler = 1, .nr = 1, .dsq_kva = Hex(0x70)}});
  Add<DsqTaskRow>({{.dsq_id = Hex(7),
                    .scheduler = 1,
                    .position = 0,
                    .pid = 1,
                    .task_kva = Hex(0x1001),
                    .dsq_kva = Hex(0x70)}});
  EXPECT_THAT(Ask("SELECT queue FROM runnable"),
              ElementsAre("user DSQ 0x0000000000000007 of scheduler qmap of cgroup /a"));
}

TEST_F(ViewsTest, TaskStackIsFoldedOutermostFirst) {
  Add<TaskRow>({Task(1, "a"), Task(2, "bare")});
  const auto frame = [](int64_t depth, const std::string& kind, std::optional<std::string> symbol) {
    StackFrameRow row;
    row.depth = depth;
    row.kind = kind;
    row.symbol = std::move(symbol);
    row.task_kva = Hex(0x1001);
    if (kind == "end") row.reason = "user mode";
    return row;
  };
  Add<StackFrameRow>(
      {frame(0, "call", "inner"), frame(1, "syscall", "outer"), frame(2, "end", std::nullopt)});
  EXPECT_THAT(Ask("SELECT folded, frames, end FROM task_stack ORDER BY pid"),
              ElementsAre("a;outer;inner|2|user mode", "bare|0|-"));
}

TEST_F(ViewsTest, BlockedChainGoesToWhomAllWaitFor) {
  TaskRow holder = Task(3, "holder");
  holder.state = "R";
  Add<TaskRow>({Task(1, "a"), Task(2, "b"), holder});
  Add<LockWaitRow>({Wait(1, "a", 2, "b"), Wait(2, "b", 3, "holder")});
  EXPECT_THAT(Ask("SELECT pid, chain, length, circle, last_comm, last_state FROM blocked_chain"),
              ElementsAre("1|a (1) -> b (2) -> holder (3)|2|0|holder|R",
                          "2|b (2) -> holder (3)|1|0|holder|R"));
}

TEST_F(ViewsTest, BlockedChainEndsWhereItComesBackToItself) {
  Add<TaskRow>({Task(1, "a"), Task(2, "b"), Task(3, "c")});
  Add<LockWaitRow>({Wait(1, "a", 2, "b"), Wait(2, "b", 1, "a"), Wait(3, "c", 3, "c")});
  EXPECT_THAT(
      Ask("SELECT chain, circle FROM blocked_chain ORDER BY pid"),
      ElementsAre("a (1) -> b (2) -> a (1)|1", "b (2) -> a (1) -> b (2)|1", "c (3) -> c (3)|1"));
}

// A hash is one by pid only when its name says so, and its key is a task's.
TEST_F(ViewsTest, TaskContextJoinsWhatProgramsKeepToTheirTasks) {
  Add<TaskRow>({Task(7, "seven"), Task(8, "eight")});
  Add<BpfMapRow>({{.id = 1, .name = "contexts", .type = "task_storage", .key_size = 4},
                  {.id = 2, .name = "pid_info", .type = "hash", .key_size = 4},
                  {.id = 3, .name = "stats", .type = "hash", .key_size = 4},
                  {.id = 4, .name = "arena", .type = "arena"}});
  Add<BpfMapValueRow>(
      {{.map_id = 1, .key = "7", .value = "10", .pid = 7, .task_kva = Hex(0x1007)},
       {.map_id = 1, .key = "\"0x1\"", .value = "11", .task_kva = Hex(0x1)},
       {.map_id = 2, .key = "8", .value = "20"},
       {.map_id = 2, .key = "99", .value = "21"},
       {.map_id = 3, .key = "8", .value = "30"},
       {.map_id = 4, .key = "\"nr_tasks\"", .value = "40"},
       {.map_id = 4, .key = "7", .value = "41", .pid = 7, .task_kva = Hex(0x1007)}});
  EXPECT_THAT(Ask("SELECT pid, comm, map, value FROM task_context ORDER BY value"),
              ElementsAre("7|seven|contexts|10", "-|-|contexts|11", "8|eight|pid_info|20",
                          "7|seven|arena|41"));
}

}  // namespace
}  // namespace ktstr
