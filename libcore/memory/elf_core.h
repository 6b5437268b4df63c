// An ELF core of a whole machine, x86-64: which of its bytes are which physical memory. The
// kernel's own (/proc/vmcore and copies of it, with what makedumpfile -E left out, and
// /proc/kcore), QEMU's (dump-guest-memory, with and without paging), and ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

// What is behind a file's begin that makes it one: 64 bits, little-endian.
bool IsElf(std::span<const std::byte> begin);

// The bytes of a core, wherever they are.
struct CoreBytes {
  // Fills `out` from `offset` on, or fails. May be called from several threads at once.
  std::function<Status(uint64_t offset, std::span<std::byte> out)> read;
  uint64_t size = 0;  // of the file, which bounds what is believed of sizes in it
};

struct ElfCore {
  std::vector<std::byte> notes;  // of all PT_NOTE segments, one behind the other
  // PT_LOAD segments in terms of physical bytes. `size` of them are in the file, at `offset`; up to
  // `memory_size` they exist. Segments whose physical address the core does not know, as
  // /proc/kcore's of vmalloc, are none of them.
  struct Load {
    uint64_t pa, memory_size, offset, size;
  };
  std::vector<Load> loads;

  // False of a process's core, which has virtual addresses alone; all of its physical ones are 0.
  bool HasPhysicalAddresses() const;
};

// Reads the headers. Errors: kDamaged, kUnsupported (not such a core), those of reading.
Result<ElfCore> ReadElfCore(const CoreBytes& bytes);

// Where pages are in a core.
class CoreParts {
 public:
  explicit CoreParts(const ElfCore& core);

  // Pages that lie whole in what the segments cover together: ascending, disjoint.
  const std::vector<MemoryRegion>& regions() const { return regions_; }
  // Whether all bytes of the page are in the file.
  bool Has(Pfn pfn) const;
  // Where in the file `size` bytes from `pa` on are, if they are there one behind the other.
  std::optional<uint64_t> Find(Pa pa, uint64_t size) const;
  // Fills `out` with the page. Errors: kUnreadable where a part is missing, those of reading.
  Status ReadPage(const CoreBytes& bytes, Pfn pfn, std::span<std::byte, kPageSize> out) const;

 private:
  // The first part that ends behind `pa`.
  std::vector<ElfCore::Load>::const_iterator PartAt(uint64_t pa) const;

  std::vector<ElfCore::Load> parts_;  // what is in the file: ascending, disjoint
  std::vector<MemoryRegion> regions_;
};

}  // namespace ktstr
