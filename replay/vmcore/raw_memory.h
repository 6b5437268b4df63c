// The bytes of RAM alone, as `pmemsave`, a memory backend's file and images for memory forensics
// have them: nothing in the file says where they belong.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"

namespace ktstr::vmcore {

// RAM from `begin` on, `size` bytes at `offset` of the file. All are multiples of a page.
struct RawRange {
  uint64_t begin = 0, size = 0, offset = 0;
  friend bool operator==(const RawRange&, const RawRange&) = default;
};

// "0x100000000:2G@0x80000000": address, size, and where in the file; without the last, the address.
// Errors: kInvalidArgument.
Result<RawRange> ParseRawRange(std::string_view text);

// Without `ranges` the file's offsets are the addresses. `dump` must outlive the memory. Errors:
// kInvalidArgument (ranges that overlap), kDamaged (no whole pages, or beyond the file's end).
Result<std::unique_ptr<DumpMemory>> RawMemory(const DumpFile& dump, std::vector<RawRange> ranges);

}  // namespace ktstr::vmcore
