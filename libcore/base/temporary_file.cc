#include "libcore/base/temporary_file.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "libcore/base/in_the_making.h"

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

struct TemporaryFile::State {
  std::filesystem::path final_path, path;
  int fd = -1;
  bool kept = false;
};

TemporaryFile::TemporaryFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
TemporaryFile::TemporaryFile(TemporaryFile&&) noexcept = default;

const std::filesystem::path& TemporaryFile::path() const { return state_->path; }
const std::filesystem::path& TemporaryFile::final_path() const { return state_->final_path; }

Result<TemporaryFile> TemporaryFile::Beside(const std::filesystem::path& final_path) {
  KTSTR_TRY(CheckReplaceable(final_path));
  RemoveLeftovers(DirectoryOf(final_path));
  auto state = std::make_unique<State>();
  state->final_path = final_path;
  state->path = NameInTheMaking(final_path);
  TakeSlot(state->path.c_str());
  CatchEndSignals();
  TemporaryFile file(std::move(state));
  file.state_->fd = KTSTR_TRY(OpenInTheMaking(file.path(), final_path, kOwnerOnly));
  return file;
}

TemporaryFile::~TemporaryFile() {
  if (state_ == nullptr) return;
  ReleaseEndSignals();
  LeaveSlot(state_->path.c_str());
  if (state_->fd < 0) return;
  if (!state_->kept) unlink(state_->path.c_str());
  close(state_->fd);
}

Status TemporaryFile::Keep() {
  const auto failed = [this](const char* doing) {
    return Fail(ErrorCode::kIo,
                fmt::format("{} {}: {}", state_->final_path.native(), doing, std::strerror(errno)));
  };
  if (fsync(state_->fd) != 0) return failed("cannot be written to the disk");
  if (rename(state_->path.c_str(), state_->final_path.c_str()) != 0) {
    return failed("cannot be given its name");
  }
  state_->kept = true;
  return {};
}

}  // namespace ktstr
