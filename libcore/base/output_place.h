// Whether a file may be written where a person wants it.
#pragma once

#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// The error of all that would have to replace a file and may not. `other_way` is what else a person
// can do than to choose another name, such as "overwrite it with --force".
Error ExistsAlready(const std::string& path, const std::string& other_way = "");

// Errors: kExists when something stands there.
Status CheckNothingAt(const std::string& path, const std::string& other_way = "");

}  // namespace ktstr
