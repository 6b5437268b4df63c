// Finds memory frames and their place records by reading a file from its beginning, with nothing
// else to go by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "libcore/archive/input_file.h"
#include "libcore/archive/place_record.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

struct FoundFrame {
  uint64_t offset = 0;        // in the file, in bytes
  uint32_t size = 0;          // in bytes, without its record
  uint32_t pages = 0;         // that it holds
  const PlaceRecord& record;  // while `found` runs
};

// Calls `found` for each memory frame that decompresses to what its content checksum says and that
// an intact place record follows, in the order of the file. Holds a few MiB. Errors: kIo.
Status ScanForFrames(const InputFile& file, const std::function<void(const FoundFrame&)>& found);

}  // namespace ktstr::archive
