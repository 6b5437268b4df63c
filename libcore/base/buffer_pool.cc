#include "libcore/base/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace ktstr {

namespace {

constexpr uint64_t kHugePage = uint64_t{2} << 20;

}  // namespace

struct BufferPool::State {
  explicit State(uint64_t size)
      : buffer_size(size),
        slab_size((std::max(size, kHugePage) + kHugePage - 1) / kHugePage * kHugePage) {}

  struct FreeSlab {
    void operator()(std::byte* slab) const { std::free(slab); }
  };

  std::byte* Take() {
    const std::lock_guard lock(mutex);
    if (free.empty()) AddSlab();
    std::byte* const buffer = free.back();
    free.pop_back();
    return buffer;
  }
  void GiveBack(std::byte* buffer) {
    const std::lock_guard lock(mutex);
    free.push_back(buffer);
  }
  void AddSlab() {
    std::unique_ptr<std::byte, FreeSlab> slab(
        static_cast<std::byte*>(std::aligned_alloc(kHugePage, slab_size)));
    if (slab == nullptr) throw std::bad_alloc();
    madvise(slab.get(), slab_size, MADV_HUGEPAGE);
    const uint64_t buffers = slab_size / buffer_size;
    free.reserve((slabs.size() + 1) * buffers);
    // The first one is taken first.
    for (uint64_t i = buffers; i-- > 0;) free.push_back(slab.get() + i * buffer_size);
    slabs.push_back(std::move(slab));
  }

  const uint64_t buffer_size, slab_size;
  std::mutex mutex;
  std::vector<std::byte*> free;
  std::vector<std::unique_ptr<std::byte, FreeSlab>> slabs;
};

BufferPool::BufferPool(uint64_t buffer_size) : state_(std::make_shared<State>(buffer_size)) {}

std::shared_ptr<std::byte[]> BufferPool::Take() {
  std::byte* const buffer = state_->Take();
  return {buffer, [state = state_](std::byte* taken) { state->GiveBack(taken); }};
}

}  // namespace ktstr
