// The kernels that guest tests boot, and the QEMUs that they boot them in.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ktstr {

// The bzImage of one of Debian's stock kernels ("6.12", "7.3", "newest-7", "6.18-rt"), fetched if
// it is not there yet (fixtures/guest/kernel.sh). Empty when it cannot be had; what the script said
// is on stderr.
std::filesystem::path StockKernel(const std::string& version);

// The bzImage of our sched_ext kernel "small" or "distribution", built if it is not there yet
// (fixtures/kernel/build.sh: minutes). Beside it stand vmlinux and config. Empty when it cannot be
// had; what the script said is on stderr.
std::filesystem::path SchedExtKernel(const std::string& variant);

// A file with the types (BTF) of one of Debian's, out of the image (fixtures/guest/btf.sh).
std::filesystem::path StockKernelTypes(const std::string& version);

// Either of them: "small" and "distribution" are ours.
std::filesystem::path AnyKernel(const std::string& name);

// The names of those of Debian's kernels that a test runs with beside its own: `usual`, or what
// KTSTR_TEST_KERNELS lists (tests/kernels.sh).
std::vector<std::string> OtherKernels(std::vector<std::string> usual);
// `own`, then the others.
std::vector<std::string> OwnAndOtherKernels(std::vector<std::string> own,
                                            std::vector<std::string> usual);
// "newest-7" as the name of a test: "Newest7".
std::string KernelTestName(const std::string& name);

// The program of QEMU "10" or "11", fetched if it is not there yet (fixtures/qemu/get.sh), or of
// the one that is "installed". Empty when it cannot be had; what the script said is on stderr.
std::string QemuProgram(const std::string& version);

// The one for guests whose kernel turns sched_ext on and off while many CPUs run. The kernel
// changes its text at such times, and QEMU before 8.1 may then let it run into breakpoints that it
// has taken back (GuestMachine::TrippedOverTcg): with 7.2 and four CPUs one run in three of
// Linux 7.3 died.
std::string QemuForSchedulers();

}  // namespace ktstr
