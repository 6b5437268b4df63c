// TaskPrefetch: the memory of tasks, brought in by a second thread while a first one lists them.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "libcore/walk/row/walk.h"

namespace ktstr {

// While one lives, a thread goes along the list of processes from its end, and looks at what
// ListTasks will look at: of an archive it decompresses one half of the tasks while the other half
// is listed. Tells nothing of what is wrong, which is for the one who lists; ends at it.
class TaskPrefetch {
 public:
  // The kernel must outlive this object.
  explicit TaskPrefetch(const GuestKernel& kernel);
  ~TaskPrefetch() { over_ = true; }
  TaskPrefetch(const TaskPrefetch&) = delete;
  TaskPrefetch& operator=(const TaskPrefetch&) = delete;

 private:
  void Run();

  const GuestKernel& kernel_;
  std::atomic<bool> over_ = false;
  std::optional<std::jthread> thread_;  // joined first
};

}  // namespace ktstr
