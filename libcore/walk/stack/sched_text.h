// Which functions are the scheduler's own, which the kernel leaves out of stacks that it shows.
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/module_list.h"

namespace ktstr {

// in_sched_functions() in kernel/sched/core.c: what is between __sched_text_start and
// __sched_text_end, and the same of locks. A kernel without these symbols has none.
class SchedText {
 public:
  explicit SchedText(const GuestKernel& kernel);

  bool Contains(Kva ip) const;

 private:
  void Add(const GuestKernel& kernel, const char* begin, const char* end);

  std::vector<TextRange> ranges_;
};

}  // namespace ktstr
