// Tasks that two threads read from both ends of their list: that the table is the same as one
// thread's, whatever is wrong with the list and wherever they meet.
#include "libcore/walk/task/tasks_from_end.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <set>

#include "fixtures/synthetic/sched_builder.h"
#include "libcore/walk/task/task.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::SchedBuilder;
using synthetic::SyntheticGuest;

constexpr uint32_t kProcesses = 1200;
constexpr uint32_t kThreads = 10;  // of one process in a hundred

class TasksFromEndTest : public testing::Test {
 protected:
  TasksFromEndTest() {
    nr_threads_ = kernel_.Data("nr_threads", 4);
    for (uint32_t i = 1; i <= kProcesses; ++i) {
      leaders_.push_back(sched_.AddProcess({.pid = i, .comm = "p" + std::to_string(i)}));
      for (uint32_t t = 0; i % 100 == 50 && t < kThreads; ++t) {
        sched_.AddThread(leaders_.back(), {.pid = 100'000 + 100 * i + t});
      }
    }
    sched_.Finish();
  }

  Pa At(Kva kva) const { return kernel_.PaOf(kva); }
  void Open() {
    count_at_ = At(nr_threads_);
    guest_ = kernel_.Finish();
    guest_.memory->Put<int32_t>(count_at_, kProcesses);
    machine_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
  }
  // By two threads, if the kernel says that it has many tasks.
  Walked<TaskRow> Tasks(int32_t nr_threads, const WalkLimits& limits) {
    guest_.memory->Put<int32_t>(count_at_, nr_threads);
    auto walked = WalkTasks(*machine_, {}, {}, limits);
    if (!walked) ADD_FAILURE() << walked.error().ToString();
    return walked ? *std::move(walked) : Walked<TaskRow>();
  }
  void ExpectSame(const WalkLimits& limits = {}) {
    const auto one = Tasks(0, limits);
    for (int i = 0; i < 3; ++i) {
      const auto two = Tasks(kProcesses, limits);
      EXPECT_EQ(one.rows, two.rows);
      EXPECT_EQ(one.anomalies, two.anomalies);
    }
  }

  KernelBuilder kernel_;
  SchedBuilder sched_{kernel_};
  Kva nr_threads_;
  std::vector<Kva> leaders_;
  Pa count_at_;
  SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> machine_;
};

TEST_F(TasksFromEndTest, EachTaskIsReadByOneOfThem) {
  Open();
  Anomalies anomalies("");
  const Walk walk = Walk::Of(*machine_, anomalies).value();
  const auto all = ListTasks(walk).value();
  // The first one waits until the other one has done so much.
  for (const size_t wanted : {size_t{1}, size_t{20}, all.size() / 2, all.size() - 20}) {
    std::atomic<size_t> read = 0;
    std::vector<Kva> first, second;
    TasksFromEnd from_end(walk, [&](const Walk&) {
      return [&](const TaskRef& task) {
        second.push_back(task.task);
        ++read;
        read.notify_one();
      };
    });
    const auto visit = [&](const TaskRef& task) {
      for (size_t now; !task.idle_cpu && (now = read) < wanted;) read.wait(now);
      first.push_back(task.task);
    };
    ASSERT_TRUE(WalkEachTask(walk, visit, &from_end));
    const auto& taken = from_end.taken();
    ASSERT_GE(std::accumulate(taken.begin(), taken.end(), size_t{0}), wanted);
    EXPECT_EQ(first.size() + second.size(), all.size());
    std::set<uint64_t> tasks;
    for (const Kva task : first) tasks.insert(task.value());
    for (const Kva task : second) tasks.insert(task.value());
    EXPECT_EQ(tasks.size(), all.size());
  }
  EXPECT_TRUE(anomalies.rows().empty());
}

TEST_F(TasksFromEndTest, TheTableIsTheSame) {
  Open();
  ExpectSame();
  EXPECT_EQ(Tasks(kProcesses, {}).rows.size(), kProcesses + kProcesses / 100 * kThreads + 2);
}

TEST_F(TasksFromEndTest, TheNumberOfTasksIsAHintAlone) {
  Open();
  const auto one = Tasks(0, {});
  for (const int32_t said : {-1, INT32_MIN, 999, 1000, INT32_MAX}) {
    EXPECT_EQ(Tasks(said, {}).rows, one.rows);
  }
}

TEST_F(TasksFromEndTest, CapsEndTheWalkWhereTheyDoForOne) {
  Open();
  for (const size_t most : {size_t{5}, size_t{600}, size_t{1199}, size_t{1200}, size_t{1320},
                            size_t{1321}, size_t{1322}, size_t{1323}}) {
    ExpectSame({.max_nodes = most});
    ExpectSame({.max_all_nodes = most});
    ExpectSame({.max_all_nodes = 2 * most});
  }
}

// What a walk goes on with is the same, whoever read the tasks.
TEST_F(TasksFromEndTest, TheMeterCountsWhatItDoesForOne) {
  const Pa middle = At(sched_.TasksNode(leaders_[600]));
  // Of a process on whose list of threads it is not itself.
  const Pa alone = At(sched_.ThreadHead(leaders_[kProcesses - 2]));
  const uint64_t own_list = sched_.ThreadHead(leaders_[kProcesses - 2]).value();
  Open();
  const auto expect_same = [&](size_t wanted) {
    Anomalies anomalies("");
    const Walk one = Walk::Of(*machine_, anomalies).value();
    const size_t tasks = ListTasks(one).value().size();
    const Walk two = Walk::Of(*machine_, anomalies).value();
    std::atomic<size_t> read = 0;
    TasksFromEnd from_end(two, [&](const Walk&) {
      return [&](const TaskRef&) {
        ++read;
        read.notify_one();
      };
    });
    size_t first = 0;
    const auto visit = [&](const TaskRef& task) {
      for (size_t now; !task.idle_cpu && (now = read) < wanted;) read.wait(now);
      ++first;
    };
    ASSERT_TRUE(WalkEachTask(two, visit, &from_end));
    EXPECT_EQ(first + std::reduce(from_end.taken().begin(), from_end.taken().end()), tasks);
    EXPECT_LE(first, tasks - wanted);
    EXPECT_EQ(one.meter->left(), two.meter->left());
  };
  expect_same(500);
  guest_.memory->Put<uint64_t>(alone, own_list);
  guest_.memory->Put<uint64_t>(alone + 8, own_list);
  expect_same(500);
  // What is behind the middle of the list is found from its end.
  guest_.memory->Put<uint64_t>(middle, 0xdead);
  expect_same(500);
}

// Where the list is damaged, counted from its beginning.
class DamagedTasksTest : public TasksFromEndTest, public testing::WithParamInterface<size_t> {
 protected:
  Kva Leader() const { return leaders_[GetParam()]; }
  // The pointers of a list_head.
  void Damage(Kva node, const std::vector<std::pair<size_t, uint64_t>>& words) {
    const Pa at = At(node);
    Open();
    for (const auto& [word, value] : words) guest_.memory->Put<uint64_t>(at + 8 * word, value);
    ExpectSame();
  }
};

TEST_P(DamagedTasksTest, NextIsWild) { Damage(sched_.TasksNode(Leader()), {{0, 0xdead}}); }
TEST_P(DamagedTasksTest, PrevIsWild) { Damage(sched_.TasksNode(Leader()), {{1, 0xdead}}); }
TEST_P(DamagedTasksTest, BothAreWild) {
  Damage(sched_.TasksNode(Leader()), {{0, 0xdead}, {1, 0xdead}});
}
TEST_P(DamagedTasksTest, NextLeadsBack) {
  Damage(sched_.TasksNode(Leader()), {{0, sched_.TasksNode(leaders_[3]).value()}});
}
TEST_P(DamagedTasksTest, PrevLeadsForward) {
  Damage(sched_.TasksNode(Leader()), {{1, sched_.TasksNode(leaders_[kProcesses - 3]).value()}});
}
TEST_P(DamagedTasksTest, AProcessLeadsToItself) {
  const uint64_t self = sched_.TasksNode(Leader()).value();
  Damage(sched_.TasksNode(Leader()), {{0, self}, {1, self}});
}
TEST_P(DamagedTasksTest, ThreadsAreWild) { Damage(sched_.ThreadHead(Leader()), {{0, 0xdead}}); }
TEST_P(DamagedTasksTest, APageIsLeftOut) {
  const Pfn pfn = Pfn::Of(At(Leader()));
  Open();
  guest_.memory->LeaveOut(pfn, LeftOutReason::kFree);
  ExpectSame();
}

INSTANTIATE_TEST_SUITE_P(At, DamagedTasksTest, testing::Values(0, 49, 649, 1149, 1199));

}  // namespace
}  // namespace ktstr
