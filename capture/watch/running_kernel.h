// The kernel of a guest that goes on running.
#pragma once

#include <sys/types.h>

#include <memory>

#include "capture/live_memory.h"
#include "capture/qemu/qmp_client.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

class RunningKernel {
 public:
  // Finds the kernel of a guest without stopping it: from its memory and what the monitor says of
  // its registers, for which QEMU takes about a millisecond and no vCPU more than a moment. `pid`
  // is QEMU's process; 0: the one that owns the other end of the QMP socket. `kernel_instance` says
  // which of several kernels. Errors: as FindRam, LiveMemory::Map, GuestKernel::Open and
  // QmpClient::Execute.
  static Result<RunningKernel> Open(QmpClient& qmp, pid_t pid = 0, size_t kernel_instance = 1);

  const GuestKernel& kernel() const { return *kernel_; }
  LiveMemory& memory() { return *memory_; }

 private:
  RunningKernel(std::unique_ptr<LiveMemory> memory, std::unique_ptr<GuestKernel> kernel)
      : memory_(std::move(memory)), kernel_(std::move(kernel)) {}

  std::unique_ptr<LiveMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
};

}  // namespace ktstr
