// Every walker, and the rules over all that they find, as fuzzers of guest memory run them.
#pragma once

#include <cstddef>
#include <span>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr::fuzz {

struct Walker {
  const char* name;
  // How many rows and anomalies it gave.
  size_t (*run)(const GuestKernel& kernel);
};

std::span<const Walker> Walkers();

}  // namespace ktstr::fuzz
