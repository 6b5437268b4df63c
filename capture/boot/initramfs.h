// The initramfs of our guests: our init and the modules it needs.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "capture/boot/cpio_writer.h"
#include "capture/boot/kernel_image.h"
#include "capture/qemu/machine_options.h"
#include "libcore/base/result.h"

namespace ktstr {

// The guest's init program (capture/guest), built with this library.
std::span<const std::byte> GuestInitProgram();
// The guest's program that sends operations to the host.
std::span<const std::byte> GuestOpsProgram();

// Adds both, and what they need to talk to the host on that kernel. Errors: as ResolveModules; kIo.
Status AddGuestBase(const KernelImage& kernel, CpioWriter* cpio);

// Adds files of the caller's. Errors: kInvalidArgument when a guest path is not absolute, kIo.
Status AddGuestFiles(const std::vector<GuestFile>& files, CpioWriter* cpio);

}  // namespace ktstr
