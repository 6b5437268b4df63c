#include "libcore/base/buffer_pool.h"

#include <algorithm>
#include <mutex>
#include <new>
#include <optional>
#include <utility>
#include <vector>

#include "libcore/base/side_thread.h"
#include "libcore/base/slab.h"

namespace ktstr {

namespace {

// The first slab and the largest, in bytes: who reads little pays little.
constexpr uint64_t kFirstSlab = uint64_t{256} << 10, kLargestSlab = uint64_t{2} << 20;
constexpr uint64_t kPage = 4096;

}  // namespace

struct BufferPool::State {
  State(uint64_t size, Slab::PageSize pages) : buffer_size(size), page_size(pages) {}

  std::byte* Take() {
    std::unique_lock lock(mutex);
    while (free.empty()) {
      const uint64_t slab_size = std::exchange(next_slab, std::min(2 * next_slab, kLargestSlab));
      // Others go on with what is given back in the meantime.
      lock.unlock();
      Slab slab = MakeSlab(slab_size);
      lock.lock();
      Add(std::move(slab), BuffersIn(slab_size));
    }
    std::byte* const buffer = free.back();
    free.pop_back();
    return buffer;
  }
  void GiveBack(std::byte* buffer) {
    const std::lock_guard lock(mutex);
    free.push_back(buffer);
  }
  // Until there are so many free buffers, with those that other calls are making.
  void Reserve(uint64_t count) {
    std::unique_lock lock(mutex);
    while (free.size() + making < count) {
      making += BuffersIn(kLargestSlab);
      lock.unlock();
      std::optional<Slab> slab = MakeHiddenSlab();
      lock.lock();
      making -= BuffersIn(kLargestSlab);
      if (!slab) return;
      Add(*std::move(slab), BuffersIn(kLargestSlab));
    }
  }

  const uint64_t buffer_size;

 private:
  uint64_t BuffersIn(uint64_t slab_size) const {
    return std::max<uint64_t>(1, slab_size / buffer_size);
  }
  Slab MakeSlab(uint64_t slab_size) const {
    const uint64_t bytes = BuffersIn(slab_size) * buffer_size;
    return Slab((bytes + kPage - 1) / kPage * kPage, page_size);
  }
  // Nothing where the system gives no memory.
  std::optional<Slab> MakeHiddenSlab() const {
    try {
      Slab slab = MakeSlab(kLargestSlab);
      slab.HideFromForks();
      return slab;
    } catch (const std::bad_alloc&) {
      return std::nullopt;
    }
  }
  void Add(Slab slab, uint64_t count) {
    buffers += count;
    free.reserve(buffers);
    // The first one is taken first.
    for (uint64_t i = count; i-- > 0;) free.push_back(slab.bytes() + i * buffer_size);
    slabs.push_back(std::move(slab));
  }

  const Slab::PageSize page_size;
  uint64_t next_slab = kFirstSlab;
  std::mutex mutex;
  std::vector<std::byte*> free;
  uint64_t making = 0;  // buffers that Reserve waits for
  std::vector<Slab> slabs;
  uint64_t buffers = 0;  // in all of them
};

BufferPool::BufferPool(uint64_t buffer_size, Slab::PageSize page_size)
    : state_(std::make_shared<State>(buffer_size, page_size)) {}

uint64_t BufferPool::buffer_size() const { return state_->buffer_size; }

void BufferPool::Reserve(uint64_t bytes, size_t threads) {
  const uint64_t count = (bytes + buffer_size() - 1) / buffer_size();
  InThreads(threads, [&] { state_->Reserve(count); });
}

std::shared_ptr<std::byte[]> BufferPool::Take() {
  std::byte* const buffer = state_->Take();
  return {buffer, [state = state_](std::byte* taken) { state->GiveBack(taken); }};
}

}  // namespace ktstr
