// What init does before anything else: file systems and kernel modules.
#pragma once

#include <string>

namespace ktstr::guest {

// Mounts proc, sysfs, devtmpfs, tmpfs, cgroup2, bpf, debugfs and tracefs at their usual places. A
// file system that this kernel does not have is left out.
void MountFileSystems();

// Loads the modules that the initramfs lists. "" or what went wrong.
std::string LoadModules();

}  // namespace ktstr::guest
