// The kernel's own ORC table where it lies in guest memory: of some megabytes only the pages are
// read that an address needs.
#pragma once

#include <cstdint>
#include <optional>

#include "libcore/image/orc.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

class KernelOrc {
 public:
  // Finds the table, and reads none of it. `kernel` must outlive this object. Errors: kNotFound (no
  // such table), kDamaged (extents that cannot be).
  static Result<KernelOrc> Open(const GuestKernel& kernel, const OrcFormat& format);

  // The entry that covers `ip`, as OrcTable::Find gives it; of a table that is not in order one
  // that begins at or before `ip` and whose next one begins behind it. Errors: those of reading.
  Result<std::optional<OrcEntry>> Find(Kva ip) const;

  // All of it. Errors: those of reading and of OrcTable::Parse.
  Result<OrcTable> ReadWhole() const;

 private:
  // The entries [begin, end) of which one covers an address, where any does.
  struct Range {
    uint64_t begin, end;
  };

  KernelOrc(const GuestKernel& kernel, const OrcFormat& format)
      : kernel_(&kernel), format_(format) {}
  Result<Kva> BeginOf(uint64_t index) const;
  std::optional<Range> Hint(Kva ip) const;

  const GuestKernel* kernel_;
  OrcFormat format_;
  Kva ips_, entries_;
  uint64_t count_ = 0;
  // orc_lookup: for each block of text the entry that covers its begin. Null where there is none.
  Kva lookup_, text_;
  uint64_t blocks_ = 0;
};

}  // namespace ktstr
