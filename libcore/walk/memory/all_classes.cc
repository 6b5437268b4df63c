#include "libcore/walk/memory/all_classes.h"

namespace ktstr {

Result<AllClasses> AllClasses::Read(const GuestKernel& first, const GuestKernelOptions& open) {
  AllClasses all;
  all.classes_.push_back(KTSTR_TRY(PageClasses::Read(first)));
  for (size_t i = 0; i < first.instances().size(); ++i) {
    const KernelInstance& instance = first.instances()[i];
    if (i + 1 == first.instance() || (instance.vcpus.empty() && !instance.crashed_at)) continue;
    GuestKernelOptions options = open;
    options.instance = i + 1;
    const auto kernel = KTSTR_TRY(GuestKernel::Open(first.memory(), first.vcpus(), options));
    all.classes_.push_back(KTSTR_TRY(PageClasses::Read(*kernel)));
  }
  return all;
}

LeftOutReason AllClasses::Of(Pfn pfn) const {
  for (const PageClasses& classes : classes_) {
    if (const LeftOutReason reason = classes.Of(pfn); reason != LeftOutReason::kNone) return reason;
  }
  return LeftOutReason::kNone;
}

AlikePages AllClasses::AlikeFrom(Pfn first, uint64_t most) const {
  if (classes_.size() == 1) return classes_.front().AlikeFrom(first, most);
  // To ask each how far its own answer holds would go through the longer one for each shorter one.
  AlikePages alike = {Of(first), 1};
  while (alike.pages < most && Of(first + alike.pages) == alike.reason) ++alike.pages;
  return alike;
}

uint64_t AllClasses::unreadable_pages() const {
  uint64_t pages = 0;
  for (const PageClasses& classes : classes_) pages += classes.unreadable_pages();
  return pages;
}

}  // namespace ktstr
