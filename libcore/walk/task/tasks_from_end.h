// TasksFromEnd: a second thread that reads tasks from the end of their list while a first one reads
// them from its beginning, until they meet.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <thread>
#include <vector>

#include "libcore/walk/row/walk.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

// The first thread goes by `next` from init_task.tasks, and this one by `prev`. Each claims a
// process before it reads that and its other threads, so that each process is read by one of them.
// What this thread has read is for the first one to take, which does so when it comes to the last
// process that was claimed here: all those behind it are then in order, since each of them, and the
// list's head, was led to by the one before it. Where something is wrong with what this thread came
// upon, it is left to the first thread, which reads all of it and tells of it.
class TasksFromEnd {
 public:
  using Visit = std::function<void(const TaskRef&)>;
  // Called in the thread, for the thread's own way to read tasks.
  using Begin = std::function<Visit(const Walk&)>;

  // Where there are so many tasks, a second CPU and a second thread; else nothing is claimed. What
  // `walk` and `begin` refer to must outlive this object.
  TasksFromEnd(const Walk& walk, Begin begin);
  ~TasksFromEnd() { over_ = true; }
  TasksFromEnd(const TasksFromEnd&) = delete;
  TasksFromEnd& operator=(const TasksFromEnd&) = delete;

  // How many tasks there are, as the kernel says, if it says anything reasonable; idle ones come on
  // top.
  size_t expected() const { return expected_; }
  // Whether the process whose `tasks` is there is for the first thread to read.
  bool Claim(Kva node) { return thread_ == std::nullopt || IsFirst(node); }
  // Of a process that is not: waits for the thread to end. Whether what it read is all of what is
  // left, that process first, and fewer than `most` tasks, with which a cap would have to be told
  // of; if not, the first thread has to read all of it. Takes of the walk's meter what reading them
  // would have taken, of which `counted` processes behind that one were taken already.
  bool Take(Kva node, size_t most, size_t counted);
  // How many tasks were visited of each process, in the order of the visits, once they are taken;
  // nothing else.
  const std::vector<size_t>& taken() const { return taken_; }

  // Below, a thread would cost more than it saves.
  static constexpr int64_t kFewestTasks = 1000;

 private:
  // Whether nobody has claimed the process before. Of more than were to be expected, one more is as
  // good as claimed.
  bool IsFirst(Kva node);
  void Run();

  const Walk walk_;
  const Begin begin_;
  size_t expected_ = 0;
  std::atomic<bool> over_ = false;
  // A hash table that does not grow, with linear probing: the processes that are claimed; 0 for
  // none.
  std::vector<std::atomic<uint64_t>> claimed_;
  // The thread's, until it ends.
  std::vector<size_t> visited_;  // of each process
  size_t all_visited_ = 0;
  size_t thread_nodes_ = 0;  // what the lists of their threads took of its meter
  std::optional<Kva> last_;  // where the last process stands
  bool sound_ = true;
  std::vector<size_t> taken_;
  std::optional<std::jthread> thread_;  // joined first
};

}  // namespace ktstr
