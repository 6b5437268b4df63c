#include "libcore/base/buffer_pool.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "libcore/base/side_thread.h"

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
  // Until there are so many free buffers, with those that other calls are making.
  void Reserve(uint64_t count) {
    std::unique_lock lock(mutex);
    while (free.size() + making < count) {
      const uint64_t in_slab = std::max<uint64_t>(1, kLargestSlab / buffer_size);
      making += in_slab;
      lock.unlock();
      Slab slab = MapSlab(kLargestSlab);
      lock.lock();
      making -= in_slab;
      Add(std::move(slab));
    }
  }

  const uint64_t buffer_size;

 private:
  struct FreeSlab {
    uint64_t mapped;  // its size, where it is a mapping of its own, else 0
    void operator()(std::byte* slab) const {
      if (mapped == 0) {
        std::free(slab);
      } else {
        munmap(slab, mapped);
      }
    }
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
        static_cast<std::byte*>(std::aligned_alloc(is_huge ? kHugePage : kPage, size)),
        FreeSlab{0});
    if (slab == nullptr) throw std::bad_alloc();
    if (is_huge) madvise(slab.get(), size, MADV_HUGEPAGE);
    Populate(slab.get(), size);
    return {std::move(slab), buffers};
  }
  // One that a process which is forked meanwhile has no part in: else the first write to each page
  // after that would copy it.
  Slab MapSlab(uint64_t slab_size) const {
    const uint64_t buffers = std::max<uint64_t>(1, slab_size / buffer_size);
    const uint64_t size = (buffers * buffer_size + kPage - 1) / kPage * kPage;
    void* const at =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    std::unique_ptr<std::byte, FreeSlab> slab(static_cast<std::byte*>(at), FreeSlab{size});
    madvise(at, size, MADV_DONTFORK);
    Populate(slab.get(), size);
    return {std::move(slab), buffers};
  }
  // Makes all pages at once. Kernels before 5.14 do not know how: each is made when it is used
  // then.
  static void Populate(std::byte* slab, uint64_t size) { madvise(slab, size, MADV_POPULATE_WRITE); }
  void Add(Slab slab) {
    buffers += slab.buffers;
    free.reserve(buffers);
    // The first one is taken first.
    for (uint64_t i = slab.buffers; i-- > 0;) free.push_back(slab.bytes.get() + i * buffer_size);
    slabs.push_back(std::move(slab));
  }

  const PageSize page_size;
  uint64_t next_slab = kFirstSlab;
  std::mutex mutex;
  std::vector<std::byte*> free;
  uint64_t making = 0;  // buffers that Reserve waits for
  std::vector<Slab> slabs;
  uint64_t buffers = 0;  // in all of them
};

BufferPool::BufferPool(uint64_t buffer_size, PageSize page_size)
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
