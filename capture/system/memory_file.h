// Files that live in memory only (memfd): they leave nothing behind, however we end.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// An empty one, closed on exec. `name` shows in /proc/PID/fd. Errors: kIo.
Result<UniqueFd> MakeMemoryFile(const char* name);
// One that holds `bytes`. Errors: kIo.
Result<UniqueFd> MakeMemoryFile(const char* name, std::span<const std::byte> bytes);

// The first `size` bytes. Errors: kIo, also when there are fewer.
Result<std::vector<std::byte>> ReadFirst(int fd, size_t size);
Status ReadFirst(int fd, std::span<std::byte> out);
// All of the file's text, at most the last `limit` bytes of it. Errors: kIo.
Result<std::string> ReadTail(int fd, size_t limit);

// The path under which this process, and a child that keeps the number, can open the file.
std::string PathOfFd(int fd);

}  // namespace ktstr
