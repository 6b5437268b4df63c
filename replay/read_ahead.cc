#include "replay/read_ahead.h"

#include <algorithm>

#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

// Misses in order that make a walk.
constexpr uint64_t kFewestInOrder = 4;

}  // namespace

ReadAhead::ReadAhead(std::function<void(uint64_t frame)> read, uint64_t frames)
    : read_(std::move(read)), frames_(frames), alone_(std::thread::hardware_concurrency() < 2) {}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

void ReadAhead::Missed(uint64_t frame) {
  const std::lock_guard lock(mutex_);
  in_order_ = frame == last_miss_ + 1 ? in_order_ + 1 : 0;
  last_miss_ = frame;
  if (in_order_ >= kFewestInOrder) Want(frame + 1, frame + 1 + kWindow);
}

void ReadAhead::Reached(uint64_t frame) {
  const std::lock_guard lock(mutex_);
  last_miss_ = frame;
  // Half a window at a time: the thread is not woken for each frame.
  if (end_ < frame + 1 + kWindow / 2) Want(frame + 1, frame + 1 + kWindow);
}

std::optional<uint64_t> ReadAhead::Take() {
  const std::lock_guard lock(mutex_);
  if (next_ >= end_) return std::nullopt;
  return next_++;
}

void ReadAhead::Want(uint64_t begin, uint64_t end) {
  if (alone_) return;
  next_ = begin <= end_ && end_ < end ? std::max(next_, begin) : begin;
  end_ = std::min(end, frames_);
  if (!thread_) {
    thread_ = TryThread([this] { Run(); });
    alone_ = !thread_;
  }
  changed_.notify_one();
}

void ReadAhead::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || next_ < end_; });
    if (stop_) return;
    const uint64_t frame = next_++;
    lock.unlock();
    read_(frame);
    lock.lock();
  }
}

}  // namespace ktstr
