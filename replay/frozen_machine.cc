#include "replay/frozen_machine.h"

#include <charconv>
#include <vector>

namespace ktstr {

namespace {

// The notes that the capture found: "vmcoreinfo_pa", and with a number that of another kernel.
// "kernels" says that it has looked for all of them.
GuestKernelOptions OptionsOf(const ArchiveMetadata& metadata) {
  GuestKernelOptions options;
  for (const Derivation& d : metadata.derivations) {
    if (d.name == "kernels" && d.chosen) options.hints_are_all = true;
    if (!d.name.starts_with("vmcoreinfo_pa") || !d.value.starts_with("0x")) continue;
    uint64_t pa = 0;
    const char* end = d.value.data() + d.value.size();
    if (std::from_chars(d.value.data() + 2, end, pa, 16).ptr == end) {
      options.vmcoreinfo_hints.emplace_back(pa);
    }
  }
  return options;
}

}  // namespace

FrozenMachine::FrozenMachine(std::shared_ptr<const ArchiveReader> archive,
                             SnapshotMemoryOptions options)
    : archive_(std::move(archive)), memory_(archive_, options) {}

Result<std::unique_ptr<FrozenMachine>> FrozenMachine::Open(const std::string& path, Damage damage,
                                                           SnapshotMemoryOptions options) {
  std::shared_ptr<const ArchiveReader> archive = KTSTR_TRY(ArchiveReader::Open(path, damage));
  return std::unique_ptr<FrozenMachine>(new FrozenMachine(std::move(archive), options));
}

GuestKernelOptions FrozenMachine::kernel_options() const { return OptionsOf(archive_->metadata()); }

Result<GuestKernel*> FrozenMachine::Kernel(const KernelChoice& choice) {
  if (kernel_ == nullptr) {
    GuestKernelOptions options = OptionsOf(archive_->metadata());
    options.vmlinux = choice.vmlinux;
    options.instance = choice.instance;
    options.images = images_.get();
    kernel_ = KTSTR_TRY(GuestKernel::Open(memory_, archive_->vcpus(), options));
    kernel_->KeepImage();
  }
  return kernel_.get();
}

}  // namespace ktstr
