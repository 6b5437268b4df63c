#include "analyze/corpus/reuse_memory.h"

#include <malloc.h>

namespace ktstr {

void ReuseFreedMemory() {
#ifdef __GLIBC__
  // The largest that glibc takes: blocks below it come from what was freed, not from mmap.
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 32 << 20);
#endif
}

}  // namespace ktstr
