// How much memory may be taken for a while.
#pragma once

#include <cstdint>
#include <filesystem>

namespace ktstr {

// A quarter of what this program can still have, at most 4 GiB; in bytes: of what the system says
// (MemAvailable, proc_meminfo(5)), and of what each control group that it is in has left of its
// limit (memory.max, or memory.limit_in_bytes of version 1). 0 where the system does not say.
// `root` is where /proc and /sys are.
uint64_t SpareMemory(const std::filesystem::path& root = "/");

}  // namespace ktstr
