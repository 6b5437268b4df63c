// What an archive says of the kernel in it.
#pragma once

#include <string>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// Fills in what the kernel says of itself; `warnings` gets what it does not.
void DescribeKernel(const GuestKernel& kernel, ArchiveMetadata* metadata,
                    std::vector<std::string>* warnings);

}  // namespace ktstr
