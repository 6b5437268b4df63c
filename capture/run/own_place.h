// Where our programs and what comes with them are.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// The path of another program of ours: beside this one, else its bare name, for PATH.
std::string ProgramBeside(const std::string& name);

// The BPF objects of our schedulers by name ("vtime"): those in share/ktstr/schedulers beside the
// directory of this program, of one in its build tree, or below SetShareDirectory.
std::map<std::string, std::filesystem::path> OwnSchedulers();

// Where share/ktstr of an installation is, for programs that are not installed beside it.
void SetShareDirectory(const std::filesystem::path& directory);

// One of them. Errors: kNotFound naming those that there are.
Result<std::filesystem::path> OwnScheduler(const std::string& name);

// How a script of ours is named to the user who is to run it: `script` is its path in a checkout
// ("fixtures/guest/kernel.sh"). Of an installation it is the path below its share/ktstr.
std::string OwnScript(const std::string& script);

}  // namespace ktstr
