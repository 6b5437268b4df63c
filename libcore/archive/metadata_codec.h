// Metadata to and from the section META (JSON).
#pragma once

#include <string>
#include <string_view>

#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

// Errors: kInvalidArgument when the key of a tag is not valid UTF-8.
Result<std::string> EncodeMetadata(const ArchiveMetadata& metadata);

// Keys that are not known are ignored; those that are missing leave the field empty. Errors:
// kDamaged.
Result<ArchiveMetadata> DecodeMetadata(std::string_view json);

}  // namespace ktstr::archive
