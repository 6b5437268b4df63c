// A comparison as people and programs read it.
#pragma once

#include <string>

#include "analyze/diff/diff.h"

namespace ktstr {

// A heading and a table for each part; of long ones the begin and how many more there are. Lines
// are cut to `max_width` columns; 0: not at all.
std::string DiffText(const ArchiveDiff& diff, size_t max_width);

// Everything, as one object.
std::string DiffJson(const ArchiveDiff& diff);

}  // namespace ktstr
