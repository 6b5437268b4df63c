// Threads that run what is given to them: what is urgent first, of that and of the rest first come,
// first served.
#pragma once

#include <algorithm>
#include <atomic>
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

  enum class Urgency { kSoon, kLater };
  template <typename Function>
  std::future<std::invoke_result_t<Function>> Run(Function function,
                                                  Urgency urgency = Urgency::kSoon) {
    using Task = std::packaged_task<std::invoke_result_t<Function>()>;
    auto task = std::make_shared<Task>(std::move(function));
    auto future = task->get_future();
    Enqueue([task] { (*task)(); }, urgency);
    return future;
  }

  // While they are held, tasks for later do not begin, even where a thread has nothing else to do.
  void HoldLater(bool hold);

  // From now on its threads take less of the CPUs than others that want them, about a third of an
  // even share.
  void StandBack() { stands_back_ = true; }

 private:
  void Enqueue(std::function<void()> task, Urgency urgency);
  void Work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> soon_, later_;
  bool stop_ = false;
  bool hold_later_ = false;
  std::atomic<bool> stands_back_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace ktstr::archive
