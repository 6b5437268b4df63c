// Threads that help where the system lets them: a process at its limit of threads does the work
// itself.
#pragma once

#include <algorithm>
#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace ktstr {

// Nothing when the system starts no more threads.
template <typename Function>
std::optional<std::jthread> TryThread(Function&& function) {
  try {
    return std::jthread(std::forward<Function>(function));
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

// Runs `work` beside the caller, or, when the system starts no more threads, when its result is
// asked for.
template <typename Work>
std::future<std::invoke_result_t<Work>> Beside(Work work) {
  try {
    return std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    return std::async(std::launch::deferred, std::move(work));
  }
}

// Calls `work` in `threads` threads, this one among them, or in as many as the system starts, and
// waits until it returned in each. It has to share out among its calls what there is to do.
template <typename Work>
void InThreads(size_t threads, const Work& work) {
  std::vector<std::jthread> helpers;
  while (helpers.size() + 1 < threads) {
    auto helper = TryThread([&work] { work(); });
    if (!helper) break;
    helpers.push_back(*std::move(helper));
  }
  work();
}

// How many threads look through memory in the least time: one for each CPU, up to where more would
// wait for memory, not for a CPU.
inline size_t MemoryThreads() {
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 4);
}

}  // namespace ktstr
