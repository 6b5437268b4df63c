// What is said of a machine that was read while it ran.
#pragma once

#include <string>
#include <string_view>

#include "libcore/archive/metadata.h"

namespace ktstr {

// As of now. `read_by` is the program and its version, `trigger` why.
ArchiveMetadata HostMetadata(const std::string& read_by, std::string_view trigger);

}  // namespace ktstr
