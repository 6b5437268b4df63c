// An ELF core of a whole machine, x86-64: the kernel's own (/proc/vmcore and copies of it, with
// what makedumpfile -E left out), QEMU's (dump-guest-memory, with and without paging), and ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"

namespace ktstr::vmcore {

// What is behind a file's begin that makes it one: 64 bits, little-endian.
bool IsElf(std::span<const std::byte> begin);

struct ElfCore {
  std::vector<std::byte> notes;  // of all PT_NOTE segments, one behind the other
  // PT_LOAD segments in terms of physical bytes. `size` of them are in the file, at `offset`; up to
  // `memory_size` they exist.
  struct Load {
    uint64_t pa, memory_size, offset, size;
  };
  std::vector<Load> loads;
};

// Reads the headers. Errors: kDamaged, kUnsupported (not such a core), kIo.
Result<ElfCore> ReadElfCore(const DumpFile& dump);

// The memory of it. `cut`: whether pages that the file is too short for are an error, or damaged.
// `regions` is where RAM is, beyond what the segments say; empty for what they say. `dump` must
// outlive the memory. Errors: kDamaged (cut off, and not accepted), kUnsupported (no physical
// addresses).
enum class CutOff { kRefuse, kAccept };
Result<std::unique_ptr<DumpMemory>> ElfCoreMemory(const DumpFile& dump, const ElfCore& core,
                                                  std::vector<MemoryRegion> regions, CutOff cut);

}  // namespace ktstr::vmcore
