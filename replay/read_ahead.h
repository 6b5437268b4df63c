// Reads what a walk through memory frames will want next, in a thread beside it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>

namespace ktstr {

class ReadAhead {
 public:
  // `read` is called with one frame after another in another thread; `frames` are all there are.
  ReadAhead(std::function<void(uint64_t frame)> read, uint64_t frames);
  // Waits for the frame that is being read.
  ~ReadAhead();

  // How far ahead of the walk frames are read.
  static constexpr uint64_t kWindow = 32;

  // The walk has come to this frame by a miss, or to one that was read ahead. Once it has missed
  // some in order, those behind are read. Safe from several threads at once: walks of several
  // threads look like none.
  void Missed(uint64_t frame);
  void Reached(uint64_t frame);
  // A frame for the caller to read, who would wait for the other thread otherwise; nothing when all
  // that are wanted are being read.
  std::optional<uint64_t> Take();

 private:
  void Want(uint64_t begin, uint64_t end);
  void Run();

  const std::function<void(uint64_t)> read_;
  const uint64_t frames_;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t last_miss_ = UINT64_MAX, in_order_ = 0;
  uint64_t next_ = 0, end_ = 0;  // to be read
  bool stop_ = false, alone_ = false;
  std::optional<std::jthread> thread_;  // once there is something to be read
};

}  // namespace ktstr
