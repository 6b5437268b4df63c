// What `virsh save` writes: a header, the domain as XML, and a migration stream of QEMU's, which
// may be compressed (save_image_format in qemu.conf).
//
// Format: src/qemu/qemu_saveimage.h of libvirt, up to 11.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "libcore/base/result.h"
#include "replay/vmcore/dump_file.h"

namespace ktstr::vmcore {

// What is behind a file's begin that makes it one, whole or not.
bool IsSaveImage(std::span<const std::byte> begin);

struct SaveImage {
  uint64_t stream_at = 0;  // in the file
  bool was_running = false;
  std::string compression;  // "gzip", "bzip2", "xz", "lzop", "zstd"; empty: it is not compressed
};

// Errors: kDamaged (one that libvirt has not written to its end, contradicts itself), kUnsupported
// (another version, libvirt's sparse format), kIo.
Result<SaveImage> ReadSaveImage(const DumpFile& dump);

// The stream of a compressed one, as a file of its own that has no name: in TMPDIR, or /var/tmp,
// which must have room for it; `most` bytes at most. Errors: kDamaged (it cannot be decompressed,
// or is larger), kUnsupported, kIo (no room, too).
Result<std::unique_ptr<DumpFile>> DecompressStream(const DumpFile& dump, const SaveImage& image,
                                                   uint64_t most);

}  // namespace ktstr::vmcore
