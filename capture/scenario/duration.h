// Durations as people write them.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "ktstr/base/result.h"

namespace ktstr {

// "250ms", "1.5s", "2min", "500us". Errors: kInvalidArgument.
Result<std::chrono::microseconds> ParseDuration(std::string_view text);

// "1.250 s", "37 ms", "0.4 ms": for people.
std::string FormatDuration(std::chrono::nanoseconds duration);

}  // namespace ktstr
