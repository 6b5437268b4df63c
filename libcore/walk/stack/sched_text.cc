#include "libcore/walk/stack/sched_text.h"

#include <algorithm>

namespace ktstr {

SchedText::SchedText(const GuestKernel& kernel) {
  Add(kernel, "__sched_text_start", "__sched_text_end");
  Add(kernel, "__lock_text_start", "__lock_text_end");
}

void SchedText::Add(const GuestKernel& kernel, const char* begin, const char* end) {
  const auto from = kernel.symbol_kva(begin), to = kernel.symbol_kva(end);
  if (from && to) ranges_.push_back({*from, *to});
}

bool SchedText::Contains(Kva ip) const {
  return std::any_of(ranges_.begin(), ranges_.end(),
                     [ip](const TextRange& range) { return range.Contains(ip); });
}

}  // namespace ktstr
