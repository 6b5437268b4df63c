// Arrays of struct hlist_head: the buckets of the kernel's hash tables and of its timer wheels.
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

// The first node of each bucket that has one, in order of the buckets; `buckets` is the array in
// the structure at `base`. Errors: kDamaged (an array of a size that cannot be), and those of
// GuestKernel::Read.
Result<std::vector<Kva>> ReadBuckets(const GuestKernel& kernel, Kva base, const Member& buckets);

}  // namespace ktstr
