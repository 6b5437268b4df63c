// The copies of ftrace_caller that the kernel makes for single users of function tracing
// (arch/x86/kernel/ftrace.c: create_trampoline). They have no symbols and no ORC entries of their
// own.
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/module_list.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct FtraceTrampoline {
  TextRange text;
  Kva original;  // what it is a copy of, from its begin on; null when that has no symbol
};

// What cannot be read is an anomaly.
std::vector<FtraceTrampoline> ListFtraceTrampolines(const Walk& walk);

}  // namespace ktstr
