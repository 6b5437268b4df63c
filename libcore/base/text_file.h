// Small files that people write and read, as a whole.
#pragma once

#include <string>
#include <string_view>

#include "libcore/base/output_file.h"
#include "libcore/base/result.h"

namespace ktstr {

// Errors: kNotFound (no such file), kIo; each with the operating system's reason.
Result<std::string> ReadTextFile(const std::string& file);
// Replaces what is there: the whole text or, when it fails, nothing. What is no regular file (a
// terminal, a pipe) is written to. Errors: kIo.
using Readers = OutputFile::Readers;
Status WriteTextFile(const std::string& file, std::string_view text,
                     Readers readers = Readers::kOwner);

}  // namespace ktstr
