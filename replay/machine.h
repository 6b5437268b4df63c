// A machine that can be asked: frozen in an archive, or the one that the program runs on.
#pragma once

#include <span>
#include <string>

#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

class FrozenMachine;

// Which kernel, and out of what.
struct KernelChoice {
  std::string vmlinux = {};  // a source of symbols and types beside memory; may be empty
  size_t instance = 1;       // of the kernels in memory (GuestKernelOptions)
};

class Machine {
 public:
  virtual ~Machine() = default;

  virtual GuestMemory& memory() = 0;
  virtual std::span<const VcpuRegisters> vcpus() const = 0;
  virtual const ArchiveMetadata& metadata() const = 0;
  // The kernel, found once. The choice counts at the first call. Errors: those of
  // GuestKernel::Open.
  virtual Result<GuestKernel*> Kernel(const KernelChoice& choice) = 0;

  // Of one in an archive, that; nullptr of one that runs.
  virtual FrozenMachine* frozen() { return nullptr; }
  // Whether it runs now, so that what is read twice may differ.
  bool runs() { return frozen() == nullptr; }
  // Pages that could not be given because they are damaged, so far, as often as they were asked
  // for.
  virtual uint64_t damaged_views() const { return 0; }
};

}  // namespace ktstr
