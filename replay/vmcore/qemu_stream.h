// A migration of QEMU's that was written to a file: `migrate file:`, `migrate exec:cat>FILE`, and
// what stands behind the header of a save file of libvirt's. RAM is in it page by page, by the
// names of QEMU's memory blocks; then come the devices, the vCPUs' registers among them.
//
// Format: migration/savevm.c, migration/ram.c and docs/devel/migration of QEMU, up to 11.1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/dump_file.h"
#include "replay/vmcore/dump_memory.h"
#include "replay/vmcore/stream_pages.h"

namespace ktstr::vmcore {

// What is behind a file's begin that makes it one.
bool IsQemuStream(std::span<const std::byte> begin);

struct StreamBlock {
  std::string name;   // such as "pc.ram"
  uint64_t size = 0;  // in bytes
  StreamPages pages;
};

struct QemuStream {
  std::string machine_type;  // such as "pc-q35-7.2"; empty where it is not said
  std::vector<StreamBlock> blocks;
  // As the section DEVS of an archive holds it (libcore/qemu/device_sections.h).
  std::vector<std::byte> device_state;
};

// Reads the stream that begins at `begin`; pages stay in the file. Errors: kDamaged (cut off,
// contradicts itself), kUnsupported (RAM that is compressed by QEMU itself, in several channels or
// elsewhere; live state of other devices; the message says which), kIo.
Result<QemuStream> ReadQemuStream(const DumpFile& dump, uint64_t begin);

// The guest's RAM, at the addresses that a machine of that type has it at. `dump` must outlive the
// memory. Errors: kUnsupported (no RAM among the blocks, or a type of machine whose layout is not
// known and that has too much RAM for it not to matter).
Result<std::unique_ptr<DumpMemory>> StreamMemory(const DumpFile& dump, QemuStream stream);

}  // namespace ktstr::vmcore
