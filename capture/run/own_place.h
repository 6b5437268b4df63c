// Where our programs and what comes with them are.
#pragma once

#include <filesystem>
#include <string>

#include "ktstr/base/result.h"

namespace ktstr {

// The path of another program of ours: beside this one, else its bare name, for PATH.
std::string ProgramBeside(const std::string& name);

// The BPF object of a scheduler of ours by name ("vtime"), in share/ktstr/schedulers beside the
// directory of this program. Errors: kNotFound naming those that there are.
Result<std::filesystem::path> OwnScheduler(const std::string& name);

}  // namespace ktstr
