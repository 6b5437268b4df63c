#include "libcore/base/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace ktstr {

namespace {

// The first slab and the largest, in bytes: who reads little pays little.
constexpr uint64_t kFirstSlab = uint64_t{256} << 10, kLargestSlab = uint64_t{2} << 20;
constexpr uint64_t kPage = 4096, kHugePage = uint64_t{2} << 20;

}  // namespace

struct BufferPool::State {
  explicit State(uint64_t size) : buffer_size(size) {}

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
    const uint64_t buffers = std::max<uint64_t>(1, next_slab / buffer_size);
    const uint64_t size = (buffers * buffer_size + kPage - 1) / kPage * kPage;
    next_slab = std::min(2 * next_slab, kLargestSlab);
    // One huge page is made and given back several times as fast as 512 small ones.
    const bool is_huge = size == kHugePage;
    std::unique_ptr<std::byte, FreeSlab> slab(
        static_cast<std::byte*>(std::aligned_alloc(is_huge ? kHugePage : kPage, size)));
    if (slab == nullptr) throw std::bad_alloc();
    if (is_huge) madvise(slab.get(), size, MADV_HUGEPAGE);
    // All of its pages at once. Kernels before 5.14 do not know how: each is made when it is used
    // then.
    madvise(slab.get(), size, MADV_POPULATE_WRITE);
    free.reserve((slabs.size() + 1) * (kLargestSlab / buffer_size + 1));
    // The first one is taken first.
    for (uint64_t i = buffers; i-- > 0;) free.push_back(slab.get() + i * buffer_size);
    slabs.push_back(std::move(slab));
  }

  const uint64_t buffer_size;
  uint64_t next_slab = kFirstSlab;
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
