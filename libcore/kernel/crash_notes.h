// The registers that a crashed kernel saved of each of its CPUs before its crash kernel began
// (crash_save_cpu, kernel/crash_core.c): one ELF note per CPU, in per-CPU memory.
#pragma once

#include <vector>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// In ascending order of CPU. Empty for a kernel that has not crashed, or cannot have a crash kernel
// (no CONFIG_CRASH_DUMP). A CPU whose note cannot be read, or is none, has no entry.
std::vector<SavedRegisters> ReadCrashNotes(const GuestKernel& kernel);

}  // namespace ktstr
