// Dumps that are given where an archive is wanted: imported once, into the user's cache.
#pragma once

#include <functional>
#include <string>

#include "libcore/base/result.h"

namespace ktstr::vmcore {

// Whether the file is a dump by its begin: an ELF core, or a kdump-compressed one. False for a file
// that cannot be read.
bool LooksLikeDump(const std::string& path);

// Where the archive of a dump is, or is to be: in "dumps" below the user's cache directory, under a
// name that changes with the file (device, inode, size, time of change). Errors: kNotFound (no such
// file), kIo (no cache directory).
Result<std::string> ArchiveOfDump(const std::string& path);

// The archive of `path`: the path itself for what is no dump; else that in the cache, which is made
// where it is not there. `say` gets a sentence before that is done, and what the dump lacks.
// `imported_by` is the program and its version. Errors: those of ArchiveOfDump, OpenVmcore and
// ImportVmcore.
Result<std::string> ArchiveFor(const std::string& path, const std::string& imported_by,
                               const std::function<void(const std::string&)>& say);

}  // namespace ktstr::vmcore
