// Tells the host now and then that the answer to its request is still being worked on.
#pragma once

#include <pthread.h>
#include <time.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

namespace ktstr::guest {

class AtWork {
 public:
  // `tell` is called once in so much time at most, from any of the threads.
  explicit AtWork(std::function<void()> tell,
                  std::chrono::nanoseconds every = std::chrono::seconds(1));

  // For work in small steps: to be called as often as is convenient. Safe from several threads.
  void Tell();

 private:
  friend class Pulse;

  std::function<void()> tell_;
  std::chrono::nanoseconds every_;
  std::atomic<std::chrono::steady_clock::time_point> told_;
};

// For work in one long step, such as a program's way through the verifier: tells for as long as
// the thread that made this is given CPU time. One that is stuck is silent. Runs above all else
// where it may: who waits for its end must not wait for a scheduler that has just failed.
class Pulse {
 public:
  explicit Pulse(AtWork& at_work);
  ~Pulse();

 private:
  static void* Run(void* pulse);
  void Watch();

  AtWork& at_work_;
  clockid_t worker_;
  std::mutex mutex_;
  std::condition_variable ended_changed_;
  bool ended_ = false;
  std::optional<pthread_t> thread_;
};

}  // namespace ktstr::guest
