// The kernel of the machine that this program runs on.
#pragma once

#include <memory>

#include "libcore/base/result.h"
#include "libcore/host/host_memory.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// How the running kernel is opened: /sys/kernel/vmcoreinfo says where its VMCOREINFO note is, so
// that no memory need be looked through. What an earlier kernel left in memory (kexec) is not
// looked for. Without that file all of memory is.
GuestKernelOptions HostKernelOptions(const GuestMemory& memory, const HostFiles& files = {});

// Opens it in `memory`, which is `host` or over it, and has `host` tell from then on which zeros
// are none (HostMemory::CheckMapping). The kernel must outlive the reading. Its CPUs' registers are
// not known. Errors: those of GuestKernel::Open.
Result<std::unique_ptr<GuestKernel>> OpenHostKernel(HostMemory& host, GuestMemory& memory,
                                                    const GuestKernelOptions& options);

}  // namespace ktstr
