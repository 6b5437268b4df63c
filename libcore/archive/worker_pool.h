// Threads that run what is given to them, first come, first served.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace ktstr::archive {

class WorkerPool {
 public:
  // `threads` 0: one per CPU. Fewer where the system starts no more; without any, Run does the work
  // itself.
  explicit WorkerPool(int threads);
  // Drops what has not begun, and waits for what has.
  ~WorkerPool();

  // At least 1.
  int threads() const { return std::max(1, static_cast<int>(threads_.size())); }

  template <typename Function>
  std::future<std::invoke_result_t<Function>> Run(Function function) {
    using Task = std::packaged_task<std::invoke_result_t<Function>()>;
    auto task = std::make_shared<Task>(std::move(function));
    auto future = task->get_future();
    Enqueue([task] { (*task)(); });
    return future;
  }

 private:
  void Enqueue(std::function<void()> task);
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  bool stop_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace ktstr::archive
