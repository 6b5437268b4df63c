// GuestMemory of a machine that a VMM of this host runs: its RAM files, mapped, and what of its RAM
// is in no file. What the guest writes shows at once, and what is written here is the guest's at
// once: freeze it first.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "capture/qemu/ram_map.h"
#include "capture/remote_pages.h"
#include "libcore/memory/guest_memory.h"

namespace ktstr {

// x86's int3.
inline constexpr std::byte kBreakpointInstruction{0xcc};

// A byte of the guest's text in whose place a debugger has put a breakpoint instruction.
struct PlantedByte {
  Pa pa;
  std::byte original;

  friend bool operator==(const PlantedByte&, const PlantedByte&) = default;
};

class LiveMemory : public GuestMemory {
 public:
  // Maps the files. Errors: kIo, kInvalidArgument when a piece is outside its file.
  static Result<std::unique_ptr<LiveMemory>> Map(RamMap map);
  ~LiveMemory() override;

  // Whether the guest stands still, so that RAM in no file can be read ahead. Not to be called
  // while another thread reads.
  void SetStill(bool still);
  // Whether a search of all memory costs so much that it is left for when the guest stands still.
  bool slow_while_running() const { return remote_ != nullptr && remote_->source().slow(); }
  // The first error of reading RAM in no file.
  std::optional<Error> failure() const;

  // From now on pages are shown with the guest's own bytes in place of these breakpoints (where the
  // guest has written something else meanwhile, that is shown); they are copies then. Not to be
  // called while another thread reads.
  void Hide(std::vector<PlantedByte> planted);

  // From now on the guest has no RAM there: these are ascending and disjoint. Not to be called
  // while another thread reads.
  void Unplug(std::vector<MemoryRegion> unplugged);

  // Whether that byte of the guest's memory is this one, hidden or not.
  bool Holds(Pa pa, std::byte byte) const;

  std::span<const MemoryRegion> regions() const override { return regions_; }
  // A page that the guest never touched reads as zeros, and takes up host memory from then on.
  PageView View(Pfn pfn) const override;
  // Errors: kOutOfRange, kReadOnly when the RAM file may not be written, or there is none.
  Result<std::byte*> Writable(Pfn pfn) override;
  Status CheckWritable(Pfn pfn) override;
  Status Write(Pa pa, std::span<const std::byte> bytes) override;
  // By the holes in the RAM file, or the pages that QEMU's process has.
  Pfn NextTouched(Pfn from) const override;
  // How many pages the guest can have touched: all, where that is not known.
  uint64_t MostTouched() const;

 private:
  struct Mapped {
    RamPiece piece;
    std::byte* bytes;  // nullptr: in no file
    bool writable;
  };

  LiveMemory() = default;
  Status MapPiece(const RamPiece& piece);
  const Mapped* Find(Pfn pfn) const;
  PageView ViewOf(const Mapped& mapped, Pfn pfn) const;
  PageView WithoutPlanted(PageView page, Pfn pfn) const;

  std::vector<UniqueFd> files_;
  std::unique_ptr<RemotePages> remote_;  // of the pieces in no file
  std::vector<Mapped> mapped_;
  std::vector<MemoryRegion> regions_;
  std::vector<PlantedByte> planted_;  // sorted by address
  std::vector<MemoryRegion> unplugged_;
};

}  // namespace ktstr
