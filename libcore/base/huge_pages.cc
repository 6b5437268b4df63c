#include "libcore/base/huge_pages.h"

#include <sys/mman.h>

#include <cstdint>

namespace ktstr {

namespace {

constexpr uintptr_t kHugePage = uintptr_t{2} << 20;
// Below, what is left over at both ends is most of it.
constexpr size_t kFewestHugePages = 2;

}  // namespace

void AdviseHugePages(const void* begin, size_t size) {
  const auto address = reinterpret_cast<uintptr_t>(begin);
  const uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (address + size) / kHugePage * kHugePage;
  if (end < first + kFewestHugePages * kHugePage) return;
  madvise(reinterpret_cast<void*>(first), end - first, MADV_HUGEPAGE);
}

}  // namespace ktstr
