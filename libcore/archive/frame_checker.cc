#include "libcore/archive/frame_checker.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <thread>

#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/base/side_thread.h"

namespace ktstr::archive {

namespace {

// Frames read with one system call.
constexpr uint64_t kBatch = 64;

class FrameChecker {
 public:
  FrameChecker(const InputFile& file, std::span<const uint64_t> offsets,
               std::span<const uint64_t> checksums)
      : file_(file), offsets_(offsets), checksums_(checksums) {}

  // Checks batches until none is left.
  void Work() {
    std::vector<std::byte> bytes;
    const uint64_t count = checksums_.size();
    while (true) {
      const uint64_t begin = next_.fetch_add(kBatch, std::memory_order_relaxed);
      if (begin >= count) return;
      if (!CheckBatch(begin, std::min(begin + kBatch, count), bytes)) return;
    }
  }

  Result<std::vector<uint64_t>> Take() {
    if (error_) return Fail(std::move(*error_));
    std::ranges::sort(damaged_);
    return std::move(damaged_);
  }

 private:
  bool CheckBatch(uint64_t begin, uint64_t end, std::vector<std::byte>& bytes) {
    bytes.resize(offsets_[end] - offsets_[begin]);
    if (Status status = file_.ReadAt(offsets_[begin], bytes); !status) {
      return CheckOneByOne(begin, end, bytes, status.error());
    }
    for (uint64_t frame = begin; frame < end; ++frame) {
      const size_t size = offsets_[frame + 1] - offsets_[frame];
      const auto compressed = std::span(bytes).subspan(offsets_[frame] - offsets_[begin], size);
      if (Checksum(compressed) != checksums_[frame]) Report(frame);
    }
    return true;
  }

  // The file ends within the batch, or part of it cannot be read.
  bool CheckOneByOne(uint64_t begin, uint64_t end, std::vector<std::byte>& bytes,
                     const Error& error) {
    if (end - begin > 1) {
      for (uint64_t frame = begin; frame < end; ++frame) {
        if (!CheckBatch(frame, frame + 1, bytes)) return false;
      }
      return true;
    }
    if (error.code() == ErrorCode::kDamaged) {
      Report(begin);
      return true;
    }
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = error;
    return false;
  }

  void Report(uint64_t frame) {
    const std::lock_guard lock(mutex_);
    damaged_.push_back(frame);
  }

  const InputFile& file_;
  const std::span<const uint64_t> offsets_;
  const std::span<const uint64_t> checksums_;
  std::atomic<uint64_t> next_ = 0;

  std::mutex mutex_;
  std::vector<uint64_t> damaged_;
  std::optional<Error> error_;
};

}  // namespace

Result<std::vector<uint64_t>> CheckFrames(const InputFile& file, std::span<const uint64_t> offsets,
                                          std::span<const uint64_t> checksums, int threads) {
  FrameChecker checker(file, offsets, checksums);
  const uint64_t wanted = threads > 0 ? static_cast<uint64_t>(threads)
                                      : std::max(1u, std::thread::hardware_concurrency());
  const uint64_t useful = (checksums.size() + kBatch - 1) / kBatch;
  InThreads(std::min(wanted, useful), [&checker] { checker.Work(); });
  return checker.Take();
}

Result<std::vector<uint64_t>> DamagedFrames(const InputFile& file, const Container& container,
                                            const FrameInfo* info) {
  if (info != nullptr) return CheckFrames(file, container.frame_offsets, info->checksums, 0);
  std::vector<uint64_t> damaged;
  std::vector<std::byte> frame, pages;
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    frame.resize(container.CompressedBytes(i));
    pages.resize(container.DecompressedBytes(i));
    KTSTR_TRY(file.ReadAt(container.frame_offsets[i], frame));
    if (!DecompressFrame(frame, pages)) damaged.push_back(i);
  }
  return damaged;
}

}  // namespace ktstr::archive
