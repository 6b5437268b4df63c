#include "replay/host_machine.h"

#include "libcore/host/host_kernel.h"
#include "libcore/host/host_metadata.h"

namespace ktstr {

Result<std::unique_ptr<HostMachine>> HostMachine::Open(const std::string& asked_by,
                                                       HostFiles files) {
  auto memory = KTSTR_TRY(HostMemory::Open(files));
  return std::unique_ptr<HostMachine>(
      new HostMachine(std::move(files), std::move(memory), HostMetadata(asked_by, "live")));
}

Result<GuestKernel*> HostMachine::Kernel(const KernelChoice& choice) {
  if (kernel_ == nullptr) {
    GuestKernelOptions options = HostKernelOptions(*memory_, files_);
    options.vmlinux = choice.vmlinux;
    options.instance = choice.instance;
    options.images = images_.get();
    kernel_ = KTSTR_TRY(OpenHostKernel(*memory_, *memory_, options));
  }
  return kernel_.get();
}

}  // namespace ktstr
