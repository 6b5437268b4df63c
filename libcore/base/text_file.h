// Small files that people write and read, as a whole.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// Errors: kNotFound (no such file), kIo; each with the operating system's reason.
Result<std::string> ReadTextFile(const std::string& file);
// Replaces what is there. Errors: as above.
Status WriteTextFile(const std::string& file, std::string_view text);

}  // namespace ktstr
