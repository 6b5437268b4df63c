// Threads that help where the system lets them: a process at its limit of threads does the work
// itself.
#pragma once

#include <future>
#include <optional>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>

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

}  // namespace ktstr
