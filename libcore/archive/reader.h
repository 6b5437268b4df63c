// Opens a .kts file (FORMAT.md) and reads any page of it with one small decompression. What it
// holds in memory is in proportion to the file, whatever the file says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "libcore/archive/metadata.h"
#include "libcore/archive/relocation.h"
#include "libcore/base/result.h"
#include "libcore/memory/guest_memory.h"
#include "libcore/memory/vcpu.h"

namespace ktstr {

// Where a page of the guest is in the archive.
struct PageRecord {
  PageFate fate = PageFate::kOutside;
  LeftOutReason reason = LeftOutReason::kNone;
  bool duplicate = false;    // shares its stored page with a lower frame number
  uint64_t stored_page = 0;  // for kPresent: index among the stored pages
  // It is that page at another address; the page is to be had by archive::Relocate.
  std::optional<archive::Relocation> relocation = std::nullopt;
};

// How many pages met which fate.
struct PageCount {
  PageFate fate;
  LeftOutReason reason;
  bool duplicate;
  uint64_t pages;
};

// A part without which an archive can still be used: its pages are there.
struct LostPart {
  enum class Part { kMetadata, kVcpus };
  Part part;
  Error error;
};

class ArchiveReader {
 public:
  // What becomes of an archive whose metadata or vCPU registers are damaged.
  enum class Damage { kRefuse, kAccept };

  // Reads header, directory, and the sections that say where pages are, as well as metadata and
  // registers. What is not read here, pages and device state, is checked when it is read.
  // Errors: kNotFound (no such file), kIo, kDamaged (not a .kts file, truncated, checksum; the
  // message names the file and the part), kUnsupported (a newer version).
  static Result<std::unique_ptr<ArchiveReader>> Open(const std::string& path,
                                                     Damage damage = Damage::kRefuse);
  ~ArchiveReader();

  // Where damage was accepted: what metadata() and vcpus() do not have.
  std::span<const LostPart> lost() const;
  bool has_lost(LostPart::Part part) const;

  const std::string& path() const;
  uint64_t file_size() const;         // in bytes
  const std::string& digest() const;  // the archive's identity, 32 hexadecimal digits
  const ArchiveMetadata& metadata() const;
  std::span<const VcpuRegisters> vcpus() const;
  std::span<const MemoryRegion> regions() const;
  // Decompresses the VMM's device state; empty when there is none. Errors: kDamaged, kIo.
  Result<std::vector<std::byte>> ReadDeviceState() const;

  PageRecord Lookup(Pfn pfn) const;
  // The first frame at or after `from` that is not a zero page, within the region that contains
  // `from`; the region's end when there is none. `from` must lie in a region.
  Pfn NextNotZero(Pfn from) const;
  std::vector<PageCount> CountPages() const;

  // Stored pages lie in frames of pages_per_frame(), a power of two (the last one may be shorter).
  uint64_t pages_per_frame() const;
  uint64_t frame_count() const;
  uint64_t pages_in_frame(uint64_t frame) const;
  uint64_t compressed_bytes(uint64_t frame) const;
  // The frames of pages that are stored in one of these memory frames (ascending), in ascending
  // order, with the memory frame of each.
  std::vector<std::pair<Pfn, uint64_t>> PagesOfFrames(std::span<const uint64_t> frames) const;
  // One frame as it is stored, checksum verified. May be called from several threads at once.
  // Errors: as ReadFrame.
  Status ReadCompressedFrame(uint64_t frame, std::vector<std::byte>& out) const;
  // Decompresses one frame into `out` (pages_in_frame * kPageSize bytes), checksum verified. May be
  // called from several threads at once. Errors: kDamaged, kIo, kOutOfRange (no such frame).
  Status ReadFrame(uint64_t frame, std::span<std::byte> out) const;
  // Checks the sections that Open does not read. Errors: kDamaged, kIo.
  Status CheckOtherSections() const;
  // Checks the checksums of all frames without decompressing them; `threads` 0 is one per CPU.
  // Returns the damaged frames' indices. Errors: kIo.
  Result<std::vector<uint64_t>> FindDamagedFrames(int threads = 0) const;

 private:
  struct State;
  explicit ArchiveReader(std::unique_ptr<State> state);
  static Status ReadSections(State& state, Damage damage);
  Error InFrame(uint64_t frame, Error error) const;
  std::unique_ptr<State> state_;
};

}  // namespace ktstr
