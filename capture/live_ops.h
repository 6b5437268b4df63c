// Operations (libcore/ops) on a live guest, within a freeze.
#pragma once

#include <sys/types.h>

#include <memory>

#include "capture/freeze.h"
#include "capture/live_memory.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/ops/dispatcher.h"

namespace ktstr {

// A guest's kernel, found once and asked in as many freezes as one likes: what its symbols and
// types say does not change while it runs.
class LiveOps {
 public:
  // Finds the kernel of a guest that stands still. `pid` is QEMU's process; 0: the one that owns
  // the other end of the QMP socket. Errors: as SaveDeviceState, FindRam, LiveMemory::Map and
  // GuestKernel::Open.
  static Result<std::unique_ptr<LiveOps>> Open(Frozen& frozen, pid_t pid = 0,
                                               size_t kernel_instance = 1);

  // Does the batch within that freeze, of the same guest. Errors: as Frozen::Exclusively; a batch
  // that fails is a reply.
  Result<OpReply> Dispatch(Frozen& frozen, const OpRequest& request);

  // From now on reads show the guest's own bytes in place of these breakpoints (LiveMemory::Hide).
  void Hide(const std::vector<PlantedByte>& planted) { memory_->Hide(planted); }

  GuestKernel& kernel() { return *kernel_; }

 private:
  LiveOps(std::unique_ptr<LiveMemory> memory, std::unique_ptr<GuestKernel> kernel)
      : memory_(std::move(memory)), kernel_(std::move(kernel)), dispatcher_(*kernel_) {}

  std::unique_ptr<LiveMemory> memory_;
  std::unique_ptr<GuestKernel> kernel_;
  Dispatcher dispatcher_;
};

}  // namespace ktstr
