#include "replay/frame_cache.h"

#include <algorithm>
#include <bit>
#include <thread>
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

FrameCache::FrameCache(const ArchiveReader& archive, uint64_t bytes, Ahead ahead)
    : archive_(archive),
      pool_(archive.pages_per_frame() * kPageSize, BufferPool::PageSize::kHuge),
      slots_(archive.frame_count()) {
  const uint64_t capacity = std::max<uint64_t>(1, bytes / (archive.pages_per_frame() * kPageSize));
  const uint64_t shards =
      std::bit_floor(std::clamp<uint64_t>(capacity / kFewestFramesPerShard, 1, kMostShards));
  shards_ = std::make_unique<Shard[]>(shards);
  shard_mask_ = shards - 1;
  for (uint64_t i = 0; i < shards; ++i) shards_[i].capacity = capacity / shards;
  // What was read must still be there when the walk comes by.
  if (ahead == Ahead::kInOrder && capacity >= 4 * ReadAhead::kWindow) {
    ahead_ = std::make_unique<ReadAhead>([this](uint64_t frame) { Fetch(frame); },
                                         archive.frame_count());
  }
}

FrameCache::~FrameCache() = default;

bool FrameCache::Hold(Slot& slot) {
  constexpr int kPatience = 64;
  for (int tries = 0;; ++tries) {
    SlotState state = slot.state.load(std::memory_order_acquire);
    if (state == SlotState::kReady) {
      if (slot.state.compare_exchange_weak(state, SlotState::kHeld, std::memory_order_acquire)) {
        return true;
      }
    } else if (state != SlotState::kHeld) {
      return false;
    }
    // Who holds it may have lost its CPU.
    if (tries > kPatience) std::this_thread::yield();
  }
}

FrameCache::Frame FrameCache::Get(uint64_t frame) {
  Slot& slot = slots_.At(frame);
  while (true) {
    if (Hold(slot)) {
      Frame found = slot.frame;
      slot.state.store(SlotState::kReady, std::memory_order_release);
      // A write only where it says something new: other CPUs have this line, too.
      if (!slot.used.load(std::memory_order_relaxed)) {
        slot.used.store(true, std::memory_order_relaxed);
      }
      if (slot.read_ahead.load(std::memory_order_relaxed) &&
          slot.read_ahead.exchange(false, std::memory_order_relaxed)) {
        ahead_->Reached(frame);
      }
      return found;
    }
    Shard& shard = shards_[frame & shard_mask_];
    std::unique_lock lock(shard.mutex);
    switch (slot.state.load(std::memory_order_relaxed)) {
      case SlotState::kReady:
      case SlotState::kHeld:
        break;  // meanwhile
      case SlotState::kDamaged:
        return nullptr;
      case SlotState::kEmpty: {
        slot.read_ahead.store(false, std::memory_order_relaxed);  // it came too early
        Frame read = Read(shard, slot, frame, lock);
        if (ahead_ != nullptr) ahead_->Missed(frame);
        return read;
      }
      case SlotState::kReading:
        if (ahead_ != nullptr) {
          lock.unlock();
          if (const auto next = ahead_->Take()) {
            Fetch(*next);
            continue;
          }
          lock.lock();
        }
        shard.read_done.wait(lock, [&slot] {
          return slot.state.load(std::memory_order_relaxed) != SlotState::kReading;
        });
    }
  }
}

void FrameCache::Fetch(uint64_t frame) {
  Shard& shard = shards_[frame & shard_mask_];
  Slot& slot = slots_.At(frame);
  std::unique_lock lock(shard.mutex);
  if (slot.state.load(std::memory_order_relaxed) != SlotState::kEmpty) return;
  slot.read_ahead.store(true, std::memory_order_relaxed);
  Read(shard, slot, frame, lock);
}

FrameCache::Frame FrameCache::Read(Shard& shard, Slot& slot, uint64_t frame,
                                   std::unique_lock<std::mutex>& lock) {
  slot.state.store(SlotState::kReading, std::memory_order_relaxed);
  ++shard.reads;
  lock.unlock();
  const uint64_t size = archive_.pages_in_frame(frame) * kPageSize;
  std::shared_ptr<std::byte[]> bytes = pool_.Take();
  const Status status = archive_.ReadFrame(frame, std::span(bytes.get(), size));
  Frame evicted;  // freed without the lock
  lock.lock();
  if (status) {
    slot.frame = bytes;
    // Not yet used again: what a scan looks at once makes way before what is in constant use.
    slot.used.store(false, std::memory_order_relaxed);
    slot.state.store(SlotState::kReady, std::memory_order_release);
    evicted = Keep(shard, slot);
  } else {
    // Damage stays; what the system refused now it may grant later.
    const bool damaged = status.error().code() == ErrorCode::kDamaged;
    slot.state.store(damaged ? SlotState::kDamaged : SlotState::kEmpty, std::memory_order_relaxed);
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
  while (shard.clock[shard.hand]->used.exchange(false, std::memory_order_relaxed)) advance();
  Slot& victim = *std::exchange(shard.clock[shard.hand], &slot);
  advance();
  Hold(victim);
  Frame evicted = std::exchange(victim.frame, nullptr);
  victim.state.store(SlotState::kEmpty, std::memory_order_release);
  return evicted;
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
