// Guest RAM that is not mapped here: somebody is asked for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "libcore/base/result.h"

namespace ktstr {

// May be used by several threads at once. Addresses are the source's own.
class RamSource {
 public:
  virtual ~RamSource() = default;

  // Errors: kIo, kPeer; `out` is then partly written and must not be used.
  virtual Status Read(uint64_t address, std::span<std::byte> out) = 0;
  // Errors: kReadOnly when the source cannot be written, kIo.
  virtual Status Write(uint64_t address, std::span<const std::byte> bytes) = 0;
  virtual Status CheckWritable() = 0;

  // The first page's address at or after `from`, which begins a page, that may hold something other
  // than zeros; `end` when there is none below that.
  virtual uint64_t NextTouched(uint64_t from, [[maybe_unused]] uint64_t end) { return from; }

  // Whether a question costs so much, however little is asked for, that a guest which runs, and of
  // which nothing can be kept, is not to be searched.
  virtual bool slow() const { return false; }
};

}  // namespace ktstr
