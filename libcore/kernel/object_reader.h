// ObjectReader: one kernel object (a task, a run queue) read member by member. Keeps the pages it
// has touched, so that forty members cost three page look-ups.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/image/type_info.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/page.h"

namespace ktstr {

// The number that a member is: `raw` is its storage, little-endian, of member.size bytes (8 at
// most); neighbours of a bit field are cut off and the sign is extended where there is one.
int64_t DecodeInteger(uint64_t raw, const Member& member);

class ObjectReader {
 public:
  // The object at `base`. Nothing is read yet.
  ObjectReader(const GuestKernel& kernel, Kva base) : kernel_(&kernel), base_(base) {}

  Kva base() const { return base_; }

  // Bytes at an offset into the object. Errors: those of GuestKernel::Read.
  Status Read(uint64_t offset, std::span<std::byte> out);
  template <typename T>
  Result<T> ReadAt(uint64_t offset) {
    T value;
    KTSTR_TRY(Read(offset, std::as_writable_bytes(std::span<T, 1>(&value, 1))));
    return value;
  }

  // An integer, enum, pointer or bit field of up to 8 bytes, as wide as BTF says it is and
  // sign-extended when it is signed. Errors: kUnsupported (not such a member), and those of Read.
  Result<int64_t> Integer(const Member& member);
  Result<uint64_t> Unsigned(const Member& member);
  Result<Kva> Pointer(const Member& member);
  // A character array up to its NUL.
  Result<std::string> Text(const Member& member);

 private:
  struct CachedPage {
    uint64_t number = UINT64_MAX;  // Kva / 4096
    PageView view = PageView::Outside();
  };
  Result<const std::byte*> PageAt(Kva kva);

  const GuestKernel* kernel_;
  Kva base_;
  std::array<CachedPage, 4> pages_;
};

}  // namespace ktstr
