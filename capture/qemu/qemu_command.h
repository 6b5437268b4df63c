// The command line of a QEMU of ours.
#pragma once

#include <string>
#include <vector>

#include "capture/qemu/machine_options.h"

namespace ktstr {

// Open files that QEMU gets under the same numbers; -1 for none.
struct QemuFiles {
  int qmp = -1;      // a connected stream socket
  int port = -1;     // a connected stream socket
  int ops = -1;      // a connected stream socket; only with port
  int gdb = -1;      // a connected stream socket
  int initrd = -1;   // a file
  int console = -1;  // a file
};

// The id of the memory backend that holds the guest's RAM; of several NUMA nodes, those of the
// others are "ram1", "ram2", ….
inline constexpr char kRamId[] = "ram";

std::vector<std::string> QemuCommand(const MachineOptions& options, const QemuFiles& files);

// The guest kernel's command line.
std::string KernelCommandLine(const MachineOptions& options);

}  // namespace ktstr
