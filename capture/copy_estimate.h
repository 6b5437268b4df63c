// How much of a guest's memory a capture of all of it will have to copy.
#pragma once

#include <cstdint>

#include "libcore/memory/guest_memory.h"

namespace ktstr {

// In bytes, by one page in 64 of those that the guest has touched: of pages that are neither zero
// nor much like the last one, as pages are that will be stored once. A guess, of memory that may
// change.
uint64_t EstimateCopies(const GuestMemory& memory);

}  // namespace ktstr
