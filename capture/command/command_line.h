// Reads what a person writes on the command line.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

// {"a=1", "b=x=y"} as {a: "1", b: "x=y"}. Errors: kInvalidArgument.
Result<std::map<std::string, std::string>> ParseTags(const std::vector<std::string>& tags);

}  // namespace ktstr
