#include "at_work.h"

#include <pthread.h>

namespace ktstr::guest {

namespace {

using Clock = std::chrono::steady_clock;

std::chrono::nanoseconds TimeOf(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

AtWork::AtWork(std::function<void()> tell, std::chrono::nanoseconds every)
    : tell_(std::move(tell)), every_(every), told_(Clock::now()) {}

void AtWork::Tell() {
  const auto now = Clock::now();
  auto told = told_.load();
  if (now - told >= every_ && told_.compare_exchange_strong(told, now)) tell_();
}

Pulse::Pulse(AtWork& at_work) : at_work_(at_work) {
  if (pthread_getcpuclockid(pthread_self(), &worker_) != 0) return;
  sched_param priority = {};
  priority.sched_priority = sched_get_priority_max(SCHED_FIFO);
  pthread_attr_t above_all;
  pthread_attr_init(&above_all);
  pthread_attr_setinheritsched(&above_all, PTHREAD_EXPLICIT_SCHED);
  pthread_attr_setschedpolicy(&above_all, SCHED_FIFO);
  pthread_attr_setschedparam(&above_all, &priority);
  pthread_t thread;
  if (pthread_create(&thread, &above_all, Run, this) == 0 ||
      pthread_create(&thread, nullptr, Run, this) == 0) {
    thread_ = thread;
  }
  pthread_attr_destroy(&above_all);
}

Pulse::~Pulse() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  ended_changed_.notify_one();
  if (thread_) pthread_join(*thread_, nullptr);
}

void* Pulse::Run(void* pulse) {
  static_cast<Pulse*>(pulse)->Watch();
  return nullptr;
}

void Pulse::Watch() {
  auto used = TimeOf(worker_);
  std::unique_lock lock(mutex_);
  while (!ended_changed_.wait_for(lock, at_work_.every_, [this] { return ended_; })) {
    const auto now = TimeOf(worker_);
    if (now != used) at_work_.Tell();
    used = now;
  }
}

}  // namespace ktstr::guest
