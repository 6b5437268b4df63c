#include "replay/frozen_machine.h"

#include <charconv>
#include <vector>

namespace ktstr {

namespace {

std::vector<Pa> VmcoreinfoHints(const ArchiveMetadata& metadata) {
  for (const Derivation& d : metadata.derivations) {
    if (d.name != "vmcoreinfo_pa" || !d.value.starts_with("0x")) continue;
    uint64_t pa = 0;
    const char* end = d.value.data() + d.value.size();
    if (std::from_chars(d.value.data() + 2, end, pa, 16).ptr == end) return {Pa(pa)};
  }
  return {};
}

}  // namespace

FrozenMachine::FrozenMachine(std::shared_ptr<const ArchiveReader> archive,
                             SnapshotMemoryOptions options)
    : archive_(std::move(archive)), memory_(archive_, options) {}

Result<std::unique_ptr<FrozenMachine>> FrozenMachine::Open(const std::string& path,
                                                           SnapshotMemoryOptions options) {
  std::shared_ptr<const ArchiveReader> archive = KTSTR_TRY(ArchiveReader::Open(path));
  return std::unique_ptr<FrozenMachine>(new FrozenMachine(std::move(archive), options));
}

Result<GuestKernel*> FrozenMachine::Kernel(const std::string& vmlinux) {
  if (kernel_ == nullptr) {
    kernel_ = KTSTR_TRY(GuestKernel::Open(memory_, archive_->vcpus(),
                                          {VmcoreinfoHints(archive_->metadata()), vmlinux}));
  }
  return kernel_.get();
}

}  // namespace ktstr
