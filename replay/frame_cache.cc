#include "replay/frame_cache.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "libcore/base/address.h"

namespace ktstr {

namespace {

constexpr uint64_t kMostShards = 64;
// Fewer frames than this under one clock would evict what is in use.
constexpr uint64_t kFewestFramesPerShard = 8;
// Kept of each shard where all is looked at once.
constexpr uint64_t kOnePassFrames = 2;

}  // namespace

FrameCache::FrameCache(const ArchiveReader& archive, uint64_t bytes)
    : archive_(archive),
      pool_(archive.pages_per_frame() * kPageSize),
      slots_(archive.frame_count()) {
  const uint64_t capacity = std::max<uint64_t>(1, bytes / (archive.pages_per_frame() * kPageSize));
  const uint64_t shards =
      std::bit_floor(std::clamp<uint64_t>(capacity / kFewestFramesPerShard, 1, kMostShards));
  shards_ = std::make_unique<Shard[]>(shards);
  shard_mask_ = shards - 1;
  for (uint64_t i = 0; i < shards; ++i) shards_[i].capacity = capacity / shards;
}

FrameCache::~FrameCache() = default;

FrameCache::Frame FrameCache::Get(uint64_t frame) {
  Shard& shard = shards_[frame & shard_mask_];
  Slot& slot = slots_.At(frame);
  std::unique_lock lock(shard.mutex);
  while (true) {
    switch (slot.state) {
      case SlotState::kReady:
        slot.used = true;
        return slot.frame;
      case SlotState::kDamaged:
        return nullptr;
      case SlotState::kEmpty:
        return Read(shard, slot, frame, lock);
      case SlotState::kReading:
        shard.read_done.wait(lock, [&slot] { return slot.state != SlotState::kReading; });
    }
  }
}

FrameCache::Frame FrameCache::Read(Shard& shard, Slot& slot, uint64_t frame,
                                   std::unique_lock<std::mutex>& lock) {
  slot.state = SlotState::kReading;
  ++shard.reads;
  lock.unlock();
  const uint64_t size = archive_.pages_in_frame(frame) * kPageSize;
  std::shared_ptr<std::byte[]> bytes = pool_.Take();
  const Status status = archive_.ReadFrame(frame, std::span(bytes.get(), size));
  Frame evicted;  // freed without the lock
  lock.lock();
  if (status) {
    slot.frame = bytes;
    slot.state = SlotState::kReady;
    // Not yet used again: what a scan looks at once makes way before what is in constant use.
    slot.used = false;
    evicted = Keep(shard, slot);
  } else {
    // Damage stays; what the system refused now it may grant later.
    const bool damaged = status.error().code() == ErrorCode::kDamaged;
    slot.state = damaged ? SlotState::kDamaged : SlotState::kEmpty;
    bytes = nullptr;
  }
  lock.unlock();
  shard.read_done.notify_all();
  return bytes;
}

FrameCache::Frame FrameCache::Keep(Shard& shard, Slot& slot) const {
  const bool one_pass = passes_.load(std::memory_order_relaxed) > 0;
  const uint64_t most = one_pass ? std::min(kOnePassFrames, shard.capacity) : shard.capacity;
  if (shard.clock.size() < most) {
    shard.clock.push_back(&slot);
    return nullptr;
  }
  const auto advance = [&shard] { shard.hand = (shard.hand + 1) % shard.clock.size(); };
  while (std::exchange(shard.clock[shard.hand]->used, false)) advance();
  Slot& victim = *std::exchange(shard.clock[shard.hand], &slot);
  advance();
  victim.state = SlotState::kEmpty;
  return std::exchange(victim.frame, nullptr);
}

FrameCache::Statistics FrameCache::statistics() const {
  Statistics statistics;
  for (uint64_t i = 0; i <= shard_mask_; ++i) {
    const std::lock_guard lock(shards_[i].mutex);
    statistics.reads += shards_[i].reads;
    statistics.resident_frames += shards_[i].clock.size();
    statistics.capacity_frames += shards_[i].capacity;
  }
  return statistics;
}

}  // namespace ktstr
