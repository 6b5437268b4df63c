// An array that takes memory only for the parts that are used. A chunk of elements is allocated,
// value-initialized, when one of them is asked for the first time.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace ktstr {

// Elements never move and live as long as the array. Safe from several threads at once; what
// happens to an element is up to its type.
template <typename T>
class LazyArray {
 public:
  explicit LazyArray(uint64_t size) : size_(size) {
    // At least 512 elements to a chunk, at most 2^16 chunks.
    const int bits = static_cast<int>(std::bit_width(size));
    chunk_shift_ = std::max(9, bits - 16);
  }
  LazyArray(const LazyArray&) = delete;
  LazyArray& operator=(const LazyArray&) = delete;
  ~LazyArray() {
    const auto* chunks = chunks_.load(std::memory_order_acquire);
    if (chunks == nullptr) return;
    for (uint64_t i = 0; i < chunk_count(); ++i) delete[] chunks[i].load(std::memory_order_relaxed);
    delete[] chunks;
  }

  uint64_t size() const { return size_; }

  // nullptr when no element near it was ever made.
  T* Find(uint64_t index) const {
    const auto* chunks = chunks_.load(std::memory_order_acquire);
    if (chunks == nullptr) return nullptr;
    T* chunk = chunks[index >> chunk_shift_].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : chunk + (index & (chunk_size() - 1));
  }

  T& At(uint64_t index) {
    std::atomic<T*>* chunks = MakeOnce(chunks_, chunk_count());
    T* chunk = MakeOnce(chunks[index >> chunk_shift_], chunk_size());
    return chunk[index & (chunk_size() - 1)];
  }

  // The first element at or after `index` (at most size()) for which `is_wanted`; size() if there
  // is none. Chunks that were never made are skipped.
  template <typename Predicate>
  uint64_t FindFrom(uint64_t index, Predicate is_wanted) const {
    while (index < size_) {
      const uint64_t chunk_end = std::min(size_, ((index >> chunk_shift_) + 1) << chunk_shift_);
      if (const T* element = Find(index)) {
        for (; index < chunk_end; ++index, ++element) {
          if (is_wanted(*element)) return index;
        }
      }
      index = chunk_end;
    }
    return size_;
  }

 private:
  uint64_t chunk_size() const { return uint64_t{1} << chunk_shift_; }
  uint64_t chunk_count() const { return (size_ >> chunk_shift_) + 1; }

  // Several threads may make it at the same time; the first one wins.
  template <typename U>
  static U* MakeOnce(std::atomic<U*>& pointer, uint64_t count) {
    U* present = pointer.load(std::memory_order_acquire);
    if (present != nullptr) return present;
    std::unique_ptr<U[]> made(new U[count]());
    if (pointer.compare_exchange_strong(present, made.get(), std::memory_order_acq_rel)) {
      return made.release();
    }
    return present;
  }

  const uint64_t size_;
  int chunk_shift_ = 9;
  std::atomic<std::atomic<T*>*> chunks_ = nullptr;
};

}  // namespace ktstr
