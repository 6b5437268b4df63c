// The seal of an index: a checksum of the whole file in its own header, by which an index that
// somebody changed, or a disk, is known.
#pragma once

#include <filesystem>

#include "libcore/base/result.h"

namespace ktstr {

// The first half of the XXH3-128 over all bytes of the SQLite file, with its application id and
// user version (bytes 68 to 71 and 60 to 63, which are the database's owner's to use) taken as 0;
// it stands in these two. It is no signature: who can write the index of an archive can write the
// archive.

// Seals a file that nobody has open any more. Errors: kIo.
Status SealIndex(const std::filesystem::path& file);
// Reads the whole file, at the speed of memory. False also for a file that cannot be read.
bool SealHolds(const std::filesystem::path& file);

}  // namespace ktstr
