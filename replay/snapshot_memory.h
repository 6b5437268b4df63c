// The memory of a frozen guest, out of its archive: pages are decompressed when they are looked at,
// and writes go to private copies.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "libcore/archive/reader.h"
#include "libcore/archive/region_map.h"
#include "libcore/memory/guest_memory.h"
#include "replay/frame_cache.h"
#include "replay/overlay.h"

namespace ktstr {

struct SnapshotMemoryOptions {
  // Decompressed pages that are kept, in bytes. Pages that a view holds on to, and those that were
  // written to, come on top.
  uint64_t cache_bytes = uint64_t{256} << 20;
  static constexpr const char* kDefaultSize = "256M";  // the same as people write it
  // For who comes by each page once, from the first to the last: more only costs page faults.
  static constexpr const char* kSizeForOnce = "16M";

  // For walks from the first page to the last.
  FrameCache::Ahead ahead = FrameCache::Ahead::kNone;

  // As people write it: "64M". Errors: kInvalidArgument.
  static Result<SnapshotMemoryOptions> OfSize(std::string_view text);
  // Of several machines that are open at once and share these, what one has.
  SnapshotMemoryOptions Shared(size_t machines) const { return {cache_bytes / machines, ahead}; }
};

class SnapshotMemory : public GuestMemory {
 public:
  explicit SnapshotMemory(std::shared_ptr<const ArchiveReader> archive,
                          SnapshotMemoryOptions options = {});

  const ArchiveReader& archive() const { return *archive_; }

  std::span<const MemoryRegion> regions() const override { return archive_->regions(); }
  // A page whose memory frame fails its checksum, or can't be read from the file, is kDamaged.
  PageView View(Pfn pfn) const override;
  // Gives the page a copy of its own. Errors: kOutOfRange where there is no RAM, kUnreadable for
  // pages that were left out or are damaged.
  Result<std::byte*> Writable(Pfn pfn) override;
  Pfn NextTouched(Pfn from) const override;
  // Compressed frames, and which page of which frame each is; not while any page is written to.
  bool ReadStored(std::span<const Pfn> pages,
                  const std::function<void(std::span<const std::byte>)>& take) const override;
  void ExpectOnePass(int more) override { cache_.ExpectOnePass(more); }

  // The pages that were made writable, ascending.
  std::vector<Pfn> WrittenPages() const;

  // Pages that could not be given because they are damaged, so far, as often as they were asked
  // for.
  uint64_t damaged_views() const { return damaged_views_.load(std::memory_order_relaxed); }

  FrameCache::Statistics cache_statistics() const { return cache_.statistics(); }

 private:
  PageView ViewStored(uint64_t stored_page) const;
  PageView Damaged() const;

  std::shared_ptr<const ArchiveReader> archive_;
  RegionMap region_map_;
  int frame_shift_;  // pages per frame is 2^frame_shift_
  mutable FrameCache cache_;
  mutable std::atomic<uint64_t> damaged_views_ = 0;
  Overlay overlay_;
};

}  // namespace ktstr
