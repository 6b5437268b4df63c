// Which addresses a request may name: checks that need no memory.
#pragma once

#include <cstdint>

#include "libcore/base/address.h"
#include "libcore/ops/op_error.h"

namespace ktstr {

// The begin of the kernel's half with five-level paging (bits 63 to 56 set: __VIRTUAL_MASK_SHIFT,
// arch/x86/include/asm/page_64_types.h). With four levels the half begins higher; the page tables
// refuse what lies between.
inline constexpr Kva kKernelHalf{0xff00000000000000};

// A range of `size` bytes in the direct map of `ram_size` bytes (from physical address 0 to the end
// of RAM) at `page_offset`. Errors: kBelowDirectMap, kBeyondDirectMap, kAddressOverflow.
OpStatus CheckDirect(Kva kva, uint64_t size, Kva page_offset, uint64_t ram_size);

// A range of `size` bytes anywhere in the kernel's half. Errors: kBelowKernelHalf,
// kAddressOverflow.
OpStatus CheckKva(Kva kva, uint64_t size);

}  // namespace ktstr
