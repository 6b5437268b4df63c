// Decompressed memory frames, as many as there is room for. Least recently used ones make way, by
// the clock algorithm; a frame that someone still looks at lives on until that one is done.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "libcore/archive/reader.h"
#include "libcore/base/buffer_pool.h"
#include "replay/lazy_array.h"

namespace ktstr {

class FrameCache {
 public:
  // A frame's bytes; null when the frame is damaged.
  using Frame = std::shared_ptr<const std::byte[]>;

  // Keeps at most `bytes` of frames, but at least one frame. `archive` must outlive the cache.
  FrameCache(const ArchiveReader& archive, uint64_t bytes);
  ~FrameCache();

  // The frame, read if need be; several threads that miss the same frame read it once. Safe from
  // several threads at once.
  Frame Get(uint64_t frame);

  // Adds `more` to how many expect that frames are looked at once. While there is one, hardly more
  // frames are kept than there are already: a new one takes the place of one that was not looked at
  // again.
  void ExpectOnePass(int more) { passes_.fetch_add(more, std::memory_order_relaxed); }

  struct Statistics {
    uint64_t reads = 0;            // frames read from the archive
    uint64_t resident_frames = 0;  // kept now
    uint64_t capacity_frames = 0;  // kept at most
  };
  Statistics statistics() const;

 private:
  enum class SlotState : uint8_t { kEmpty, kReading, kReady, kDamaged };
  struct Slot {
    Frame frame;
    SlotState state = SlotState::kEmpty;
    bool used = false;  // since the clock's hand came by
  };
  // Frames whose index has the same remainder share a lock and a clock.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::condition_variable read_done;
    std::vector<Slot*> clock;  // the frames that are kept
    size_t hand = 0;
    uint64_t capacity = 0;
    uint64_t reads = 0;
  };

  Frame Read(Shard& shard, Slot& slot, uint64_t frame, std::unique_lock<std::mutex>& lock);
  // Keeps `slot`; returns the frame that made way for it, if one had to.
  Frame Keep(Shard& shard, Slot& slot) const;

  const ArchiveReader& archive_;
  BufferPool pool_;
  LazyArray<Slot> slots_;
  std::unique_ptr<Shard[]> shards_;
  uint64_t shard_mask_ = 0;
  std::atomic<int> passes_ = 0;
};

}  // namespace ktstr
