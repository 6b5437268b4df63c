// How much memory may be taken for a while.
#pragma once

#include <cstdint>

namespace ktstr {

// A quarter of what the system says that programs can still have (MemAvailable, proc_meminfo(5)),
// at most 4 GiB; in bytes. 0 where it does not say.
uint64_t SpareMemory();

}  // namespace ktstr
