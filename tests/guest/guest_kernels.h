// The kernels that guest tests boot, and the QEMUs that they boot them in.
#pragma once

#include <filesystem>
#include <string>

namespace ktstr {

// The bzImage of Debian's stock kernel "6.12" or "6.1", fetched if it is not there yet
// (fixtures/guest/kernel.sh). Empty when it cannot be had; what the script said is on stderr.
std::filesystem::path StockKernel(const std::string& version);

// The bzImage of our sched_ext kernel "small" or "distribution", built if it is not there yet
// (fixtures/kernel/build.sh: minutes). Beside it stand vmlinux and config. Empty when it cannot be
// had; what the script said is on stderr.
std::filesystem::path SchedExtKernel(const std::string& variant);

// The program of QEMU "10" or "11", fetched if it is not there yet (fixtures/qemu/get.sh), or of
// the one that is "installed". Empty when it cannot be had; what the script said is on stderr.
std::string QemuProgram(const std::string& version);

}  // namespace ktstr
