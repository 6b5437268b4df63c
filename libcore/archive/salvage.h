// What is left of a damaged archive: every memory frame that is intact, and what of the rest can be
// had twice.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"

namespace ktstr {

struct Salvaged {
  // Pages that are lost are kDamaged.
  std::unique_ptr<GuestMemory> memory;
  std::optional<std::vector<VcpuRegisters>> vcpus;     // nothing where they are lost
  std::optional<ArchiveMetadata> metadata;             // the same
  std::optional<std::vector<std::byte>> device_state;  // the same; empty where there was none
  std::string digest;                                  // of the archive; empty where it is lost
  bool regions_known = true;  // else memory has the regions that are known to have been there
  uint64_t frames = 0;        // that are intact
  // Whether all that memory was asked for so far could be read from the file: pages of a frame that
  // was intact, and then could not be read again, are kDamaged, too. Errors: kIo. Valid while the
  // memory lives.
  std::function<Status()> check_reads;
  // That are lost, where it is known how many there were.
  std::optional<uint64_t> lost_frames;
};

// Of the pages that were looked at so many bytes are kept where nothing else is asked for.
inline constexpr uint64_t kSalvageCacheBytes = uint64_t{16} << 20;

// Reads what can be read of the archive at `path`, which stays open while the memory lives; of its
// pages that are decompressed the memory keeps `cache_bytes`. It needs no seek table and no
// directory: memory frames are found by their place records (archives of format 1.0 have none: of
// them the sections must be intact). Reads the whole file. Errors: kNotFound, kIo; kDamaged when
// nothing of an archive is left.
Result<Salvaged> SalvageArchive(const std::string& path, uint64_t cache_bytes = kSalvageCacheBytes);

}  // namespace ktstr
