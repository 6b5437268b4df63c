#include "capture/wake/fill_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "capture/live_memory.h"
#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

constexpr Pa kLowMemory{0x100000};

// Pages are written in two rounds. In the first, the memory frames are decompressed one after the
// other, by several threads, and each stored page goes to the place where it was first met. In the
// second, pages that are equal to one of these are copied from there. No frame is read twice.
class Filler {
 public:
  Filler(const ArchiveReader& archive, LiveMemory& memory) : archive_(archive), memory_(memory) {}

  Status Fill() {
    KTSTR_TRY(FindPlaces());
    KTSTR_TRY(Clear());
    KTSTR_TRY(WriteStored());
    for (const Repeated& page : repeated_) {
      std::byte* to = KTSTR_TRY(memory_.Writable(page.pfn));
      const std::byte* stored = KTSTR_TRY(memory_.Writable(places_[page.stored]));
      if (page.relocation) {
        archive::Relocate(stored, *page.relocation, to);
      } else {
        std::memcpy(to, stored, kPageSize);
      }
    }
    return {};
  }

 private:
  struct Repeated {
    Pfn pfn;
    uint64_t stored;
    std::optional<archive::Relocation> relocation;
  };

  // A machine at reset has little in its RAM, if anything.
  Status Clear() {
    for (const MemoryRegion& region : memory_.regions()) {
      for (Pfn pfn = memory_.NextTouched(region.begin); pfn < region.end;
           pfn = memory_.NextTouched(pfn + 1)) {
        std::memset(KTSTR_TRY(memory_.Writable(pfn)), 0, kPageSize);
        if (pfn + 1 == region.end) break;
      }
    }
    return {};
  }

  Status FindPlaces() {
    places_.reserve(archive_.frame_count() * archive_.pages_per_frame());
    for (const MemoryRegion& region : archive_.regions()) {
      for (Pfn pfn = archive_.NextNotZero(region.begin); pfn < region.end;
           pfn = archive_.NextNotZero(pfn + 1)) {
        const PageRecord page = archive_.Lookup(pfn);
        if (page.fate != PageFate::kPresent) {
          return Fail(ErrorCode::kUnsupported,
                      fmt::format("the page at guest-physical address {:#x} is not in the archive",
                                  pfn.pa().value()));
        }
        // Stored pages are numbered in the order in which they were first met.
        if (page.duplicate) {
          repeated_.push_back({pfn, page.stored_page, page.relocation});
        } else {
          places_.push_back(pfn);
        }
        if (pfn + 1 == region.end) break;
      }
    }
    return {};
  }

  Status WriteStored() {
    const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, 8U);
    {
      std::vector<std::jthread> workers;
      for (unsigned i = 0; i < threads; ++i) {
        auto worker = TryThread([this] { WriteFrames(); });
        if (worker) workers.push_back(*std::move(worker));
      }
      // Where the system has no threads left.
      if (workers.empty()) WriteFrames();
    }
    return error_ ? Status(Fail(*error_)) : Status();
  }

  void WriteFrames() {
    std::vector<std::byte> bytes(archive_.pages_per_frame() * kPageSize);
    while (!failed_) {
      const uint64_t frame = next_++;
      if (frame >= archive_.frame_count()) return;
      if (auto written = WriteFrame(frame, bytes); !written) {
        const std::lock_guard lock(mutex_);
        if (!failed_.exchange(true)) error_ = std::move(written).error();
      }
    }
  }

  Status WriteFrame(uint64_t frame, std::vector<std::byte>& bytes) {
    const uint64_t pages = archive_.pages_in_frame(frame);
    KTSTR_TRY(archive_.ReadFrame(frame, std::span(bytes.data(), pages * kPageSize)));
    for (uint64_t i = 0; i < pages; ++i) {
      const Pfn pfn = places_[frame * archive_.pages_per_frame() + i];
      std::memcpy(KTSTR_TRY(memory_.Writable(pfn)), bytes.data() + i * kPageSize, kPageSize);
    }
    return {};
  }

  const ArchiveReader& archive_;
  LiveMemory& memory_;
  std::vector<Pfn> places_;  // by number of the stored page: where it was first met
  std::vector<Repeated> repeated_;
  std::atomic<uint64_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  std::mutex mutex_;
  std::optional<Error> error_;
};

}  // namespace

std::vector<RamPiece> CloseLowGaps(std::vector<RamPiece> pieces) {
  for (size_t i = 0; i + 1 < pieces.size(); ++i) {
    RamPiece& piece = pieces[i];
    const RamPiece& next = pieces[i + 1];
    const bool low = piece.begin.pa() < kLowMemory && next.begin.pa() <= kLowMemory;
    const uint64_t apart = (next.begin - piece.begin) * kPageSize;
    if (low && piece.file == next.file && next.offset == piece.offset + apart) {
      piece.pages = next.begin - piece.begin;
    }
  }
  return JoinPieces(std::move(pieces));
}

Status CheckRamCovers(std::span<const RamPiece> pieces, std::span<const MemoryRegion> regions) {
  for (const MemoryRegion& region : regions) {
    for (Pfn at = region.begin; at < region.end;) {
      const auto piece = std::ranges::find_if(
          pieces, [&](const RamPiece& p) { return p.begin <= at && at < p.end(); });
      if (piece == pieces.end()) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("the machine had RAM at guest-physical address {:#x} (up to {:#x}) "
                                "that its command line does not give it, such as a DIMM that was "
                                "plugged in while it ran",
                                at.pa().value(), region.end.pa().value()));
      }
      at = piece->end();
    }
  }
  return {};
}

bool SamePlaces(std::span<const RamPiece> a, std::span<const RamPiece> b,
                std::span<const MemoryRegion> regions) {
  const auto piece_at = [](std::span<const RamPiece> pieces, Pfn at) {
    return std::ranges::find_if(pieces,
                                [&](const RamPiece& p) { return p.begin <= at && at < p.end(); });
  };
  for (const MemoryRegion& region : regions) {
    for (Pfn at = region.begin; at < region.end;) {
      const auto in_a = piece_at(a, at), in_b = piece_at(b, at);
      if (in_a == a.end() || in_b == b.end() || in_a->file != in_b->file) return false;
      if (in_a->offset + (at - in_a->begin) * kPageSize !=
          in_b->offset + (at - in_b->begin) * kPageSize) {
        return false;
      }
      at = std::min(in_a->end(), in_b->end());
    }
  }
  return true;
}

Status FillMemory(const ArchiveReader& archive, RamMap map) {
  const auto memory = KTSTR_TRY(LiveMemory::Map(std::move(map)));
  return Filler(archive, *memory).Fill();
}

}  // namespace ktstr
