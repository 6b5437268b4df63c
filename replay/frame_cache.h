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
#include "replay/read_ahead.h"

namespace ktstr {

class FrameCache {
 public:
  // A frame's bytes; null when the frame is damaged.
  using Frame = std::shared_ptr<const std::byte[]>;

  // Whether frames behind those that are missed in order are read beforehand, in another thread.
  enum class Ahead { kNone, kInOrder };

  // Keeps at most `bytes` of frames, but at least one frame. `archive` must outlive the cache.
  // Nothing is read ahead where few frames have room.
  FrameCache(const ArchiveReader& archive, uint64_t bytes, Ahead ahead = Ahead::kNone);
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
  // Who finds kReady and makes it kHeld has `frame` for himself, for a few instructions; all other
  // changes are made under the shard's lock. So threads that find their frames here meet only
  // where they look at the same frame.
  enum class SlotState : uint8_t { kEmpty, kReading, kReady, kHeld, kDamaged };
  struct Slot {
    Frame frame;
    std::atomic<SlotState> state = SlotState::kEmpty;
    std::atomic<bool> used = false;        // since the clock's hand came by
    std::atomic<bool> read_ahead = false;  // and not wanted yet
  };
  // Frames whose index has the same remainder share a clock, and a lock for those that are missed.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::condition_variable read_done;
    std::vector<Slot*> clock;  // the frames that are kept
    size_t hand = 0;
    uint64_t capacity = 0;
    uint64_t reads = 0;
  };

  // Reads the frame if it is not there.
  void Fetch(uint64_t frame);
  // Waits until the slot is neither held nor ready (false), or holds it (true).
  static bool Hold(Slot& slot);
  Frame Read(Shard& shard, Slot& slot, uint64_t frame, std::unique_lock<std::mutex>& lock);
  // Keeps `slot`; returns the frame that made way for it, if one had to.
  Frame Keep(Shard& shard, Slot& slot) const;

  const ArchiveReader& archive_;
  BufferPool pool_;
  LazyArray<Slot> slots_;
  std::unique_ptr<Shard[]> shards_;
  uint64_t shard_mask_ = 0;
  std::atomic<int> passes_ = 0;
  std::unique_ptr<ReadAhead> ahead_;  // the first to go; it reads into the others
};

}  // namespace ktstr
