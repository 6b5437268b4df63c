#include "ktstr/analyze/temporary_file.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <random>
#include <system_error>

namespace ktstr {

namespace {

constexpr std::array kEndSignals = {SIGINT, SIGTERM, SIGHUP};

// The name of the one that lives; a handler can use nothing that allocates.
std::atomic<const char*> to_remove = nullptr;

void RemoveAndEnd(int signal) {
  if (const char* path = to_remove.load()) unlink(path);
  // The handler is gone (SA_RESETHAND): this ends the process as if there had been none.
  raise(signal);
}

void CatchEndSignals() {
  for (const int signal : kEndSignals) {
    struct sigaction old = {};
    sigaction(signal, nullptr, &old);
    if (old.sa_handler != SIG_DFL) continue;
    struct sigaction action = {};
    action.sa_handler = RemoveAndEnd;
    action.sa_flags = static_cast<int>(SA_RESETHAND);
    sigaction(signal, &action, nullptr);
  }
}

void ReleaseEndSignals() {
  for (const int signal : kEndSignals) {
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler == RemoveAndEnd) ::signal(signal, SIG_DFL);
  }
}

}  // namespace

TemporaryFile::TemporaryFile(std::filesystem::path final_path)
    : final_path_(std::move(final_path)),
      path_(fmt::format("{}.{}-{:08x}", final_path_.string(), getpid(), std::random_device()())) {
  to_remove.store(path_.c_str());
  CatchEndSignals();
}

TemporaryFile::~TemporaryFile() {
  ReleaseEndSignals();
  to_remove.store(nullptr);
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

Status TemporaryFile::Keep() {
  std::error_code error;
  std::filesystem::rename(path_, final_path_, error);
  if (!error) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("cannot rename to {}: {}", final_path_.string(), error.message()));
}

}  // namespace ktstr
