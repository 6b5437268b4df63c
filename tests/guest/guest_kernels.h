// The kernels that guest tests boot.
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

}  // namespace ktstr
