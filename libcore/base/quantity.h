// Durations and sizes as people write them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// "250ms", "1.5s", "2min", "30d", "500us". Errors: kInvalidArgument.
Result<std::chrono::microseconds> ParseDuration(std::string_view text);

// "1.250 s", "37 ms", "0.4 ms": for people.
std::string FormatDuration(std::chrono::nanoseconds duration);

// "512M", "4GiB", "4 GiB", "1048576": bytes. Suffixes K, M, G, T are powers of 1024. Errors:
// kInvalidArgument.
Result<uint64_t> ParseSize(std::string_view text);

// "40.1 MiB", for people.
std::string FormatSize(uint64_t bytes);

}  // namespace ktstr
