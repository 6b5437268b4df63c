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
#include "replay/machine.h"
#include "replay/snapshot_memory.h"

namespace ktstr {

class FrozenMachine : public Machine {
 public:
  using Damage = ArchiveReader::Damage;

  // Errors: those of ArchiveReader::Open.
  static Result<std::unique_ptr<FrozenMachine>> Open(const std::string& path,
                                                     Damage damage = Damage::kRefuse,
                                                     SnapshotMemoryOptions options = {});

  const ArchiveReader& archive() const { return *archive_; }
  std::span<const VcpuRegisters> vcpus() const override { return archive_->vcpus(); }
  const ArchiveMetadata& metadata() const override { return archive_->metadata(); }
  FrozenMachine* frozen() override { return this; }
  uint64_t damaged_views() const override { return memory_.damaged_views(); }
  SnapshotMemory& memory() override { return memory_; }
  const SnapshotMemory& memory() const { return memory_; }

  // The kernel in the archive, found once; what the capture recorded saves the search. The choice
  // counts at the first call. Errors: those of GuestKernel::Open.
  Result<GuestKernel*> Kernel(const KernelChoice& choice) override;
  Result<GuestKernel*> Kernel() { return Kernel({}); }

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
