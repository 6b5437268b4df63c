// From the name of a kernel to its image.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// `name` is the path of a bzImage (anything with a slash), or one of "scx-small",
// "scx-distribution", "debian-" with what fixtures/guest/kernel.sh takes ("debian-6.12",
// "debian-7.3", "debian-6.18-rt", "debian-newest-7"): kernels in the user's cache directory, where
// fixtures/kernel/build.sh and fixtures/guest/kernel.sh put them; of several versions the newest,
// or "host" for the newest of /boot. Errors: kInvalidArgument for an unknown name with the nearest
// one, kNotFound with what makes it be there.
Result<std::filesystem::path> ResolveKernel(const std::string& name);

// The names that it knows, of Debian's kernels those without a number and two more.
std::vector<std::string> KnownKernelNames();

// The same in a given cache directory.
Result<std::filesystem::path> ResolveKernelIn(const std::filesystem::path& cache,
                                              const std::string& name);

}  // namespace ktstr
