#include "worker.h"

#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <thread>

namespace ktstr::guest {

uint64_t NowNs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return uint64_t(now.tv_sec) * 1'000'000'000 + uint64_t(now.tv_nsec);
}

void ComputeFor(int64_t ns) {
  for (const uint64_t end = NowNs() + uint64_t(ns); NowNs() < end;) {
    for (int i = 0; i < 1000; ++i) asm volatile("" ::: "memory");
  }
}

void SleepFor(int64_t ns) {
  const timespec pause = {ns / 1'000'000'000, ns % 1'000'000'000};
  nanosleep(&pause, nullptr);
}

void WorkerTask::Begin() {
  prctl(PR_SET_NAME, account_->name, 0, 0, 0);
  const uint64_t now = NowNs();
  account_->last_round_ns.store(now, std::memory_order_relaxed);
  account_->began_ns.store(now, std::memory_order_relaxed);
  account_->tid.store(gettid());
}

void WorkerTask::Round() {
  const uint64_t now = NowNs();
  const uint64_t gap = now - account_->last_round_ns.load(std::memory_order_relaxed);
  account_->last_round_ns.store(now, std::memory_order_relaxed);
  account_->rounds.fetch_add(1, std::memory_order_relaxed);
  if (gap > account_->longest_gap_ns.load(std::memory_order_relaxed)) {
    account_->longest_gap_ns.store(gap, std::memory_order_relaxed);
  }
}

int64_t WorkerGroup::Parameter(const char* name, int64_t otherwise) const {
  const auto found = spec.find(name);
  return found != spec.end() && found->is_number() ? found->get<int64_t>() : otherwise;
}

void StartThread(WorkerAccount* account, void (*body)(WorkerTask& task, void* argument),
                 void* argument) {
  std::thread([=] {
    WorkerTask task(account);
    task.Begin();
    body(task, argument);
  }).detach();
}

}  // namespace ktstr::guest
