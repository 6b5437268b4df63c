// The memory of an ELF core that is a file.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/elf_core.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"

namespace ktstr::vmcore {

// The bytes of a dump for ReadElfCore. `dump` must outlive them.
CoreBytes BytesOf(const DumpFile& dump);

// `cut`: whether pages that the file is too short for are an error, or damaged. `regions` is where
// RAM is, beyond what the segments say; empty for what they say. `dump` must outlive the memory.
// Errors: kDamaged (cut off, and not accepted), kUnsupported (no physical addresses).
enum class CutOff { kRefuse, kAccept };
Result<std::unique_ptr<DumpMemory>> ElfCoreMemory(const DumpFile& dump, const ElfCore& core,
                                                  std::vector<MemoryRegion> regions, CutOff cut);

}  // namespace ktstr::vmcore
