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

// Ends what a kernel's page tables say of its memory, with the kernel.
struct ForgetHostKernel {
  HostMemory* host;
  void operator()(GuestKernel* kernel) const;
};
using HostKernel = std::unique_ptr<GuestKernel, ForgetHostKernel>;

// Opens it in `memory`, which is `host` or over it, and has `host` tell which zeros are none
// (HostMemory::CheckMapping) as long as there is the kernel that was opened last. `host` must
// outlive it. Its CPUs' registers are not known. Errors: those of GuestKernel::Open.
Result<HostKernel> OpenHostKernel(HostMemory& host, GuestMemory& memory,
                                  const GuestKernelOptions& options);

}  // namespace ktstr
