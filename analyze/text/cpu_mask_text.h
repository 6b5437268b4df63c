// Masks of CPUs as the kernel prints them.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// What the kernel prints for %*pb (lib/vsprintf.c, bitmap_string): "3", or "ff,ffffffff". `list` is
// a list such as "0-1,4", `cpus` how many CPUs the mask is for. Errors: kDamaged for what is no
// list.
Result<std::string> CpuMaskText(const std::string& list, int64_t cpus);

}  // namespace ktstr
