#include "analyze/index/temporary_file.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <mutex>
#include <random>
#include <system_error>

namespace ktstr {

namespace {

constexpr std::array kEndSignals = {SIGINT, SIGTERM, SIGHUP};

// The names of those that live; a handler can use nothing that allocates.
std::array<std::atomic<const char*>, 64> to_remove;
std::mutex mutex;  // of the handler's coming and going
size_t living = 0;

void RemoveAndEnd(int signal) {
  for (const auto& slot : to_remove) {
    if (const char* path = slot.load()) unlink(path);
  }
  // The handler is gone (SA_RESETHAND): this ends the process as if there had been none.
  raise(signal);
}

void CatchEndSignals() {
  const std::lock_guard lock(mutex);
  if (living++ > 0) return;
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
  const std::lock_guard lock(mutex);
  if (--living > 0) return;
  for (const int signal : kEndSignals) {
    struct sigaction now = {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler == RemoveAndEnd) ::signal(signal, SIG_DFL);
  }
}

void TakeSlot(const char* path) {
  for (auto& slot : to_remove) {
    const char* expected = nullptr;
    if (slot.compare_exchange_strong(expected, path)) return;
  }
}

void LeaveSlot(const char* path) {
  for (auto& slot : to_remove) {
    const char* expected = path;
    if (slot.compare_exchange_strong(expected, nullptr)) return;
  }
}

}  // namespace

TemporaryFile::TemporaryFile(std::filesystem::path final_path)
    : final_path_(std::move(final_path)),
      path_(fmt::format("{}.{}-{:08x}", final_path_.string(), getpid(), std::random_device()())) {
  TakeSlot(path_.c_str());
  CatchEndSignals();
}

TemporaryFile::~TemporaryFile() {
  ReleaseEndSignals();
  LeaveSlot(path_.c_str());
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
