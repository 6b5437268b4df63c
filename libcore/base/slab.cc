#include "libcore/base/slab.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace ktstr {

namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;

void Unmap(std::byte* begin, size_t size) {
  if (size > 0) munmap(begin, size);
}

// The system aligns to small pages only: what is before and behind is given back.
std::byte* MapSlab(size_t size, size_t alignment) {
  const size_t more = alignment == 0 ? 0 : alignment;
  void* const mapped =
      mmap(nullptr, size + more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  if (more == 0) return begin;
  const size_t before = -reinterpret_cast<uintptr_t>(begin) % alignment;
  Unmap(begin, before);
  Unmap(begin + before + size, more - before);
  return begin + before;
}

// What is kept of slabs that went.
class KeptSlabs {
 public:
  static KeptSlabs& Of() {
    static KeptSlabs* const kept = new KeptSlabs;  // outlives every slab
    return *kept;
  }

  void set_most(size_t bytes) {
    const std::lock_guard lock(mutex_);
    most_ = bytes;
    while (kept_bytes_ > most_) {
      Unmap(kept_.back().bytes, kept_.back().size);
      kept_bytes_ -= kept_.back().size;
      kept_.pop_back();
    }
  }

  // Null when there is none.
  std::byte* Take(size_t size, Slab::PageSize page_size) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find_if(
        kept_, [&](const Kept& kept) { return kept.size == size && kept.page_size == page_size; });
    if (found == kept_.end()) return nullptr;
    kept_bytes_ -= size;
    std::swap(*found, kept_.back());
    std::byte* const bytes = kept_.back().bytes;
    kept_.pop_back();
    return bytes;
  }

  // False when there is no room.
  bool Keep(std::byte* bytes, size_t size, Slab::PageSize page_size) {
    const std::lock_guard lock(mutex_);
    if (size > most_ - kept_bytes_) return false;
    kept_.push_back({bytes, size, page_size});
    kept_bytes_ += size;
    return true;
  }

 private:
  struct Kept {
    std::byte* bytes;
    size_t size;
    Slab::PageSize page_size;
  };

  std::mutex mutex_;
  std::vector<Kept> kept_;  // a few dozen at most
  size_t kept_bytes_ = 0, most_ = 0;
};

}  // namespace

Slab::Slab(size_t size, PageSize page_size)
    : bytes_(KeptSlabs::Of().Take(size, page_size)), size_(size), page_size_(page_size) {
  if (bytes_ != nullptr) return;
  const bool is_huge = page_size == PageSize::kHuge && size % kHugePageBytes == 0;
  bytes_ = MapSlab(size, is_huge ? kHugePageBytes : 0);
  if (is_huge) madvise(bytes_, size, MADV_HUGEPAGE);
  // All of its pages at once. Kernels before 5.14 do not know how: each is made when it is used
  // then.
  madvise(bytes_, size, MADV_POPULATE_WRITE);
}

Slab::Slab(Slab&& other) noexcept
    : bytes_(std::exchange(other.bytes_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      page_size_(other.page_size_),
      hidden_(other.hidden_) {}

Slab& Slab::operator=(Slab&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  std::swap(page_size_, other.page_size_);
  std::swap(hidden_, other.hidden_);
  return *this;
}

Slab::~Slab() {
  if (bytes_ == nullptr) return;
  const bool kept = !hidden_ && KeptSlabs::Of().Keep(bytes_, size_, page_size_);
  if (!kept) Unmap(bytes_, size_);
}

void Slab::HideFromForks() {
  madvise(bytes_, size_, MADV_DONTFORK);
  hidden_ = true;
}

void Slab::Keep(size_t bytes) { KeptSlabs::Of().set_most(bytes); }

}  // namespace ktstr
