// BufferPool: large buffers of one size, taken and given back again and again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "libcore/base/slab.h"

namespace ktstr {

// Buffers are carved out of slabs whose pages are there from the start: the first use of one costs
// no page faults, which take about a third as long as to decompress into it. Safe from several
// threads at once.
class BufferPool {
 public:
  // Huge pages are made and given back several times as fast as 512 small ones each, as long as the
  // system has some at hand. For gigabytes it first has to move other memory: copies of a guest of
  // 2.4 GB took three times as long in the system.
  using PageSize = Slab::PageSize;

  // `buffer_size` in bytes, not more than kMostBytes.
  BufferPool(uint64_t buffer_size, PageSize page_size);
  static constexpr uint64_t kMostBytes = uint64_t{4} << 20;

  // Makes slabs, in up to `threads` threads, until so many bytes of buffers that nobody has are
  // there, or the system gives no more: for who will need them in a hurry.
  void Reserve(uint64_t bytes, size_t threads);
  uint64_t buffer_size() const;

  // A buffer of undefined contents, which goes back when nobody has it any more; the pool may be
  // gone by then.
  std::shared_ptr<std::byte[]> Take();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace ktstr
