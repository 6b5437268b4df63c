// FrozenMachine: an archive opened whole: its pages as guest memory, its kernel as GuestKernel.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "libcore/archive/reader.h"
#include "libcore/base/result.h"
#include "libcore/kernel/exclusive.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/kernel/image_store.h"
#include "replay/snapshot_memory.h"

namespace ktstr {

// Which kernel, and out of what.
struct KernelChoice {
  std::string vmlinux = {};  // a source of symbols and types beside memory; may be empty
  size_t instance = 1;       // of the kernels in memory (GuestKernelOptions)
};

class FrozenMachine {
 public:
  using Damage = ArchiveReader::Damage;

  // Errors: those of ArchiveReader::Open.
  static Result<std::unique_ptr<FrozenMachine>> Open(const std::string& path,
                                                     Damage damage = Damage::kRefuse,
                                                     SnapshotMemoryOptions options = {});

  const ArchiveReader& archive() const { return *archive_; }
  SnapshotMemory& memory() { return memory_; }
  const SnapshotMemory& memory() const { return memory_; }

  // The kernel in the archive, found once; what the capture recorded saves the search. The choice
  // counts at the first call. Errors: those of GuestKernel::Open.
  Result<GuestKernel*> Kernel(const KernelChoice& choice = {});

  // How the kernel was opened, beside the choice.
  GuestKernelOptions kernel_options() const;

  // What `work(const Exclusive&)` gives: a frozen machine stands still for ever. As with every
  // write, no other thread may read this machine meanwhile.
  template <typename Work>
  auto Exclusively(Work&& work) {
    return Exclusive::Lend(std::forward<Work>(work));
  }

 private:
  FrozenMachine(std::shared_ptr<const ArchiveReader> archive, SnapshotMemoryOptions options);

  std::shared_ptr<const ArchiveReader> archive_;
  SnapshotMemory memory_;
  std::unique_ptr<ImageStore> images_ = ImageStore::OfUser();
  std::unique_ptr<GuestKernel> kernel_;
};

}  // namespace ktstr
