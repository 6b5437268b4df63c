// The notes of a core: what a dump says beside memory. Of each CPU struct elf_prstatus, and of QEMU
// and of us its QEMUCPUState; VMCOREINFO; and what our own exports say of the archive.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"
#include "replay/vmcore/dump_memory.h"

namespace ktstr::vmcore {

// What an archive holds and no other dump does. An import of our own export has it back.
struct OwnNotes {
  ArchiveMetadata metadata;
  std::vector<VcpuRegisters> vcpus;
  std::vector<MemoryRegion> regions;
  std::vector<AbsentPages> absent;  // ascending
};

struct CoreNotes {
  std::vector<VcpuRegisters> vcpus;  // by ascending number
  bool of_qemu = false;              // whether the registers are QEMU's: all but a few are known
  std::string vmcoreinfo;            // the text; empty without
  std::optional<OwnNotes> own;
};

// Reads notes, one behind the other. Those of kinds that are not known are skipped. Errors:
// kDamaged where they do not follow one another, or our own are malformed.
Result<CoreNotes> ParseCoreNotes(std::span<const std::byte> notes);

// The notes of an export. Errors: those of archive::EncodeMetadata.
Result<std::vector<std::byte>> MakeCoreNotes(const OwnNotes& own, const std::string& vmcoreinfo);

}  // namespace ktstr::vmcore
