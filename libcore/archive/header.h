// The first 32 bytes of an archive: what it is and of which version.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "libcore/archive/format.h"
#include "libcore/archive/input_file.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

std::array<std::byte, kHeaderSize> EncodeHeader(uint16_t major, uint16_t minor);

// Whether the first bytes of a file are those of a header, as far as they go (at most its tag).
bool LooksLikeHeader(std::span<const std::byte> begin);

// Whether the file begins as an archive does, however damaged it is behind.
bool BeginsAsArchive(const InputFile& file);

// Checks a header that looks like one. Errors: kDamaged; kUnsupported for a major version that
// this program does not know, naming it and those that it knows.
Status CheckHeader(std::span<const std::byte, kHeaderSize> header);

}  // namespace ktstr::archive
