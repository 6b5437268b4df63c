#include "analyze/corpus/reuse_memory.h"

#include <malloc.h>

#include "libcore/base/slab.h"

namespace ktstr {

void ReuseFreedMemory(size_t threads) {
  // Twice what an archive of a small machine takes.
  Slab::Keep(threads * (size_t{16} << 20));
#ifdef __GLIBC__
  // The largest that glibc takes: blocks below it come from what was freed, not from mmap.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

}  // namespace ktstr
