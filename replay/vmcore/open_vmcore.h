// Another tool's dump of a whole machine, opened: its memory and registers, and what it says of
// itself.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "libcore/memory/vcpu.h"
#include "replay/vmcore/core_memory.h"
#include "replay/vmcore/core_notes.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"
#include "replay/vmcore/raw_memory.h"

namespace ktstr::vmcore {

struct OpenOptions {
  bool raw = false;              // the bytes of RAM alone; everything else is told by the file
  std::vector<RawRange> ranges;  // of a raw one: where they belong
  CutOff cut_off = CutOff::kRefuse;
  uint64_t most_decompressed = uint64_t{1} << 46;  // of a save file of libvirt's, in bytes
};

struct Vmcore {
  std::vector<std::unique_ptr<DumpFile>> files;
  std::unique_ptr<DumpMemory> memory;
  CoreNotes notes;
  std::string kind;                   // such as "ELF core of QEMU"
  int64_t written_at_s = 0;           // Unix time; 0 when it is not known
  std::optional<int32_t> dump_level;  // what makedumpfile was told to leave out (-d)
  // Of a migration stream of QEMU's.
  std::vector<std::byte> device_state;
  std::string machine_type, run_state;
};

// Opens a dump, of which makedumpfile may have made several files. Errors: kNotFound, kIo,
// kDamaged, kUnsupported (of another kind); each names the file. kInvalidArgument for /proc/kcore,
// which is no dump but a machine that runs.
Result<Vmcore> OpenVmcore(const std::vector<std::string>& paths, const OpenOptions& options);

}  // namespace ktstr::vmcore
