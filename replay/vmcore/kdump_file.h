// A kdump-compressed dump (kdump_format.h) of makedumpfile's or QEMU's: one file, or the several of
// makedumpfile --split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"
#include "replay/vmcore/kdump_format.h"

namespace ktstr::vmcore {

bool IsKdump(std::span<const std::byte> begin);

// One file's own account.
struct KdumpPart {
  const DumpFile* dump = nullptr;
  KdumpHeader header = {};
  KdumpSubHeader sub_header = {};
  uint64_t max_mapnr = 0;        // page frames
  uint64_t first = 0, last = 0;  // frames whose descriptors it has: [first, last)
  uint64_t bitmap_at = 0;        // of those pages that are in the dump
  uint64_t exists_at = 0;        // of those that exist
  uint64_t descriptors_at = 0;   // all in bytes
  std::vector<std::byte> notes;
};

// Reads the headers. Errors: kDamaged, kUnsupported, kIo.
Result<KdumpPart> ReadKdumpPart(const DumpFile& dump);

// The memory of a dump in one or more parts, which must outlive it. Errors: kDamaged (parts that do
// not fit together; one is missing), kUnsupported, kIo.
Result<std::unique_ptr<DumpMemory>> KdumpMemory(std::vector<KdumpPart> parts);

}  // namespace ktstr::vmcore
