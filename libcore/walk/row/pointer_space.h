// PointerSpace: where pointers lead that are no addresses of the kernel's.
#pragma once

#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

class PointerSpace {
 public:
  virtual ~PointerSpace() = default;
  // Where the kernel has what a pointer leads to; an address of the kernel's own stays what it is.
  // Errors: kUnmapped (it leads nowhere), kAmbiguous.
  virtual Result<Kva> Resolve(Kva pointer) const = 0;
};

}  // namespace ktstr
