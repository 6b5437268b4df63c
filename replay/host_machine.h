// HostMachine: the machine that the program runs on, while it runs.
#pragma once

#include <memory>
#include <span>
#include <utility>

#include "libcore/host/host_kernel.h"
#include "libcore/host/host_memory.h"
#include "libcore/kernel/image_store.h"
#include "replay/machine.h"

namespace ktstr {

class HostMachine : public Machine {
 public:
  // `asked_by` is the program and its version. Errors: those of HostMemory::Open.
  static Result<std::unique_ptr<HostMachine>> Open(const std::string& asked_by,
                                                   HostFiles files = {});

  GuestMemory& memory() override { return *memory_; }
  // None: only the CPUs themselves know their registers.
  std::span<const VcpuRegisters> vcpus() const override { return {}; }
  const ArchiveMetadata& metadata() const override { return metadata_; }
  // Keeps nothing on disk.
  Result<GuestKernel*> Kernel(const KernelChoice& choice) override;

 private:
  HostMachine(HostFiles files, std::unique_ptr<HostMemory> memory, ArchiveMetadata metadata)
      : files_(std::move(files)), memory_(std::move(memory)), metadata_(std::move(metadata)) {}

  HostFiles files_;
  std::unique_ptr<HostMemory> memory_;
  ArchiveMetadata metadata_;
  std::unique_ptr<ImageStore> images_ = ImageStore::OfUser();
  HostKernel kernel_;
};

}  // namespace ktstr
