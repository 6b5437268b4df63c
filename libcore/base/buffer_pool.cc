#include "libcore/base/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace ktstr {

namespace {

// The first slab and the largest, in bytes: who reads little pays little.
constexpr uint64_t kFirstSlab = uint64_t{256} << 10, kLargestSlab = uint64_t{2} << 20;
constexpr uint64_t kPage = 4096, kHugePage = uint64_t{2} << 20;

}  // namespace

struct BufferPool::State {
  State(uint64_t size, PageSize pages) : buffer_size(size), page_size(pages) {}

  std::byte* Take() {
    std::unique_lock lock(mutex);
    while (free.empty()) {
      const uint64_t slab_size = std::exchange(next_slab, std::min(2 * next_slab, kLargestSlab));
      // Others go on with what is given back in the meantime.
      lock.unlock();
      Slab slab = MakeSlab(slab_size);
      lock.lock();
      Add(std::move(slab));
    }
    std::byte* const buffer = free.back();
    free.pop_back();
    return buffer;
  }
  void GiveBack(std::byte* buffer) {
    const std::lock_guard lock(mutex);
    free.push_back(buffer);
  }

 private:
  struct FreeSlab {
    void operator()(std::byte* slab) const { std::free(slab); }
  };
  struct Slab {
    std::unique_ptr<std::byte, FreeSlab> bytes;
    uint64_t buffers;
  };

  Slab MakeSlab(uint64_t slab_size) const {
    const uint64_t buffers = std::max<uint64_t>(1, slab_size / buffer_size);
    const uint64_t size = (buffers * buffer_size + kPage - 1) / kPage * kPage;
    const bool is_huge = page_size == PageSize::kHuge && size == kHugePage;
    std::unique_ptr<std::byte, FreeSlab> slab(
        static_cast<std::byte*>(std::aligned_alloc(is_huge ? kHugePage : kPage, size)));
    if (slab == nullptr) throw std::bad_alloc();
    if (is_huge) madvise(slab.get(), size, MADV_HUGEPAGE);
    // All of its pages at once. Kernels before 5.14 do not know how: each is made when it is used
    // then.
    madvise(slab.get(), size, MADV_POPULATE_WRITE);
    return {std::move(slab), buffers};
  }
  void Add(Slab slab) {
    buffers += slab.buffers;
    free.reserve(buffers);
    // The first one is taken first.
    for (uint64_t i = slab.buffers; i-- > 0;) free.push_back(slab.bytes.get() + i * buffer_size);
    slabs.push_back(std::move(slab));
  }

  const uint64_t buffer_size;
  const PageSize page_size;
  uint64_t next_slab = kFirstSlab;
  std::mutex mutex;
  std::vector<std::byte*> free;
  std::vector<Slab> slabs;
  uint64_t buffers = 0;  // in all of them
};

BufferPool::BufferPool(uint64_t buffer_size, PageSize page_size)
    : state_(std::make_shared<State>(buffer_size, page_size)) {}

std::shared_ptr<std::byte[]> BufferPool::Take() {
  std::byte* const buffer = state_->Take();
  return {buffer, [state = state_](std::byte* taken) { state->GiveBack(taken); }};
}

}  // namespace ktstr
