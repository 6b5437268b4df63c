// Work on many archives at once whose results are taken in order.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/base/side_thread.h"
#include "replay/snapshot_memory.h"

namespace ktstr {

// How many archives are worked on at a time (0: one per CPU), and what memory they share.
struct CorpusWork {
  int jobs = 0;
  SnapshotMemoryOptions memory;

  size_t threads() const {
    return jobs > 0 ? size_t(jobs) : std::max(std::thread::hardware_concurrency(), 1u);
  }
  SnapshotMemoryOptions memory_of_each() const { return memory.Shared(threads()); }
};

// The same, when there are no other threads.
template <typename Work, typename Take>
Status OneByOne(size_t count, const Work& work, const Take& take) {
  for (size_t i = 0; i < count; ++i) KTSTR_TRY(take(i, work(i)));
  return {};
}

// Calls work(0) … work(count - 1), several at a time, in other threads, and
// take(i, its result) in order in this one. No more than two results for each thread wait to be
// taken. Ends early, with take's error, when take fails.
template <typename T, typename Work, typename Take>
Status ForEachInOrder(size_t count, const CorpusWork& corpus_work, const Work& work,
                      const Take& take) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::optional<T>> results(count);
  size_t begun = 0, taken = 0;
  bool stop = false;
  const size_t threads = std::min(count, corpus_work.threads());
  const auto run = [&] {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return stop || begun == count || begun < taken + 2 * threads; });
      if (stop || begun == count) return;
      const size_t i = begun++;
      lock.unlock();
      T result = work(i);
      lock.lock();
      results[i].emplace(std::move(result));
      changed.notify_all();
    }
  };
  std::vector<std::jthread> workers;
  for (size_t i = 0; i < threads; ++i) {
    auto worker = TryThread(run);
    if (!worker) break;
    workers.push_back(std::move(*worker));
  }
  if (workers.empty()) return OneByOne(count, work, take);
  Status status;
  std::unique_lock lock(mutex);
  for (size_t i = 0; i < count && status; ++i) {
    changed.wait(lock, [&] { return results[i].has_value(); });
    T result = *std::exchange(results[i], std::nullopt);
    lock.unlock();
    status = take(i, std::move(result));
    lock.lock();
    taken = i + 1;
    stop = !status;
    changed.notify_all();
  }
  lock.unlock();
  return status;
}

}  // namespace ktstr
