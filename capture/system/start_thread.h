// Threads where the system may have none left.
#pragma once

#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "libcore/base/result.h"

namespace ktstr {

// A thread that does `work`, for the purpose that `what` names ("that starts processes"). Errors:
// kIo, as under a limit on processes or on memory.
template <typename Work>
Result<std::jthread> StartThread(const std::string& what, Work&& work) {
  try {
    return std::jthread(std::forward<Work>(work));
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kIo, "starting a thread " + what + ": " + error.code().message());
  }
}

}  // namespace ktstr
