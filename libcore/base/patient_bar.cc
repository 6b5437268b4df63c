#include "libcore/base/patient_bar.h"

#include <unistd.h>

#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

constexpr std::chrono::milliseconds kPatientInterval(100);

}  // namespace

PatientBar::PatientBar(std::string what, std::chrono::milliseconds patience)
    : what_(std::move(what)), patience_(patience) {}

PatientBar::~PatientBar() {
  if (!thread_) return;
  {
    const std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
}

void PatientBar::Set(uint64_t done, uint64_t all) {
  done_.store(done);
  all_.store(all);
  if (thread_ || isatty(STDERR_FILENO) == 0) return;
  thread_ = TryThread([this] { Draw(); });
}

void PatientBar::Draw() {
  std::unique_lock lock(mutex_);
  if (ended_.wait_for(lock, patience_, [this] { return end_; })) return;
  ProgressBar bar(what_);
  do {
    bar.Show(done_.load(), all_.load());
  } while (!ended_.wait_for(lock, kPatientInterval, [this] { return end_; }));
}

}  // namespace ktstr
