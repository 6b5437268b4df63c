// Reads what a person writes on the command line.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ktstr/base/result.h"

namespace ktstr {

// "512M", "4G", "1048576": bytes. Suffixes K, M, G, T are powers of 1024. Errors: kInvalidArgument.
Result<uint64_t> ParseSize(std::string_view text);

// {"a=1", "b=x=y"} as {a: "1", b: "x=y"}. Errors: kInvalidArgument.
Result<std::map<std::string, std::string>> ParseTags(const std::vector<std::string>& tags);

// "40.1 MiB", for people.
std::string FormatSize(uint64_t bytes);

}  // namespace ktstr
