// Files that are nobody's but this user's, whatever the umask: a guest's console
// and logs can hold what its memory holds.
#pragma once

#include <filesystem>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// An empty file for reading and writing, closed on exec; one that was there is emptied, and becomes
// this user's alone. Errors: kIo.
Result<UniqueFd> MakePrivateFile(const std::filesystem::path& path);

}  // namespace ktstr
