#include "capture/describe_kernel.h"

namespace ktstr {

void DescribeKernel(const GuestKernel& kernel, ArchiveMetadata* metadata,
                    std::vector<std::string>* warnings) {
  metadata->kernel_release = kernel.release();
  metadata->kernel_build_id = kernel.build_id();
  metadata->derivations = kernel.derivations();
  auto cmdline = kernel.CommandLine();
  if (cmdline) {
    metadata->kernel_cmdline = *cmdline;
  } else {
    warnings->push_back("the kernel's command line is unknown: " + cmdline.error().ToString());
  }
}

}  // namespace ktstr
