// Files in the making: they have a name of their own until they are whole, which tells who makes
// them, so that those whose makers were killed can be removed.
#pragma once

#include <sys/types.h>

#include <filesystem>

#include "libcore/base/result.h"

namespace ktstr {

// What holds guest memory, or was made of it, is for its owner's eyes, whatever the umask.
inline constexpr mode_t kOwnerOnly = 0600;

// A name beside `final_path` that nobody else uses: ".NAME.PID.RANDOM.ktstr-tmp".
std::filesystem::path NameInTheMaking(const std::filesystem::path& final_path);

// Makes the file under `name`, which is such a name for `final_path`, and yields its descriptor, by
// which it counts as in the making until that is closed. Errors: kIo.
Result<int> OpenInTheMaking(const std::filesystem::path& name,
                            const std::filesystem::path& final_path, mode_t mode);
// The same of a file that has no name yet.
void MarkAsInTheMaking(int fd);

// Whether a file has such a name.
bool IsNameInTheMaking(const std::filesystem::path& path);

// Removes the files in the making in a directory that nobody makes any more.
void RemoveLeftovers(const std::filesystem::path& directory);

// Errors: kExists when something stands there that must not be replaced (a directory, a device).
Status CheckReplaceable(const std::filesystem::path& path);

// The directory that a file stands in.
std::filesystem::path DirectoryOf(const std::filesystem::path& path);

}  // namespace ktstr
