#include "libcore/archive/worker_pool.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "libcore/base/side_thread.h"

namespace ktstr::archive {

WorkerPool::WorkerPool(int threads) {
  const int count =
      threads > 0 ? threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (int i = 0; i < count; ++i) {
    auto thread = TryThread([this] { Work(); });
    if (!thread) break;
    threads_.push_back(std::move(*thread));
  }
}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  threads_.clear();  // waits for them
}

void WorkerPool::Enqueue(std::function<void()> task, Urgency urgency) {
  if (threads_.empty()) return task();
  {
    const std::lock_guard lock(mutex_);
    (urgency == Urgency::kSoon ? soon_ : later_).push_back(std::move(task));
  }
  wake_.notify_one();
}

void WorkerPool::HoldLater(bool hold) {
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(hold_later_, hold) == hold) return;
  }
  wake_.notify_all();
}

void WorkerPool::Work() {
  constexpr int kStandBack = 5;  // nice
  bool stood_back = false;
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock,
               [this] { return stop_ || !soon_.empty() || (!later_.empty() && !hold_later_); });
    if (stop_) return;
    std::deque<std::function<void()>>& queue = soon_.empty() ? later_ : soon_;
    const std::function<void()> task = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    // Linux has a nice value for each thread (setpriority(2)).
    if (stands_back_ && !std::exchange(stood_back, true)) {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kStandBack);
    }
    task();
    lock.lock();
  }
}

}  // namespace ktstr::archive
