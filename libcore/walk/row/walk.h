// Walk: what everything that goes through a kernel's memory needs at hand, in one piece.
#pragma once

#include <memory>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/pointer_space.h"

namespace ktstr {

// Cheap to copy; what it refers to must outlive every copy.
struct Walk {
  const GuestKernel& kernel;
  const TypeInfo& types;
  Anomalies& anomalies;    // where to tell what is wrong
  WalkLimits limits = {};  // how far to go, and what else ends it
  // What to ask where the pointers of a container lead; null: they are the kernel's.
  const PointerSpace* pointers = nullptr;
  // What all containers of this walk may still visit; never null.
  std::shared_ptr<WalkMeter> meter = std::make_shared<WalkMeter>(limits.max_all_nodes);

  // Errors: those of GuestKernel::types.
  static Result<Walk> Of(const GuestKernel& kernel, Anomalies& anomalies,
                         const WalkLimits& limits = {}) {
    return Walk{kernel, *KTSTR_TRY(kernel.types()), anomalies, limits};
  }
  // The same walk as far as `other`, or with what is wrong told there.
  Walk Within(const WalkLimits& other) const {
    return {kernel, types, anomalies, other, pointers, meter};
  }
  Walk NotingIn(Anomalies& other) const { return {kernel, types, other, limits, pointers, meter}; }
  // What a pointer of a container leads to. Errors: those of PointerSpace and of reading.
  template <typename T>
  Result<T> Follow(Kva pointer) const {
    if (pointers != nullptr) pointer = KTSTR_TRY(pointers->Resolve(pointer));
    return kernel.Read<T>(pointer);
  }
};

}  // namespace ktstr
