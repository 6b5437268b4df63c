// What a program of this machine needs to run in a guest: itself and the libraries that it is
// linked with.
#pragma once

#include <filesystem>
#include <vector>

#include "capture/qemu/machine_options.h"
#include "libcore/base/result.h"

namespace ktstr {

// The files of a program, found by reading what its ELF file and those of its libraries name
// (interpreter, needed libraries, run paths), each to stand where it stands here. A script needs
// its interpreter, as its first line names it. Errors: kNotFound naming the library that is
// nowhere, kUnsupported for what is no 64-bit ELF file, kIo.
Result<std::vector<GuestFile>> ProgramFiles(const std::filesystem::path& program);

// The same of a program whose interpreter and libraries lie in another system's directory `root`,
// such as one that debootstrap made. The files' places in the guest are as that system sees them:
// they are to stand below a directory that the program takes for "/".
Result<std::vector<GuestFile>> ProgramFiles(const std::filesystem::path& program,
                                            const std::filesystem::path& root);
// Where that program stands as that system sees it: where it lies in it, or, when it lies outside,
// as on this machine.
std::filesystem::path SeenInRoot(const std::filesystem::path& program,
                                 const std::filesystem::path& root);

}  // namespace ktstr
