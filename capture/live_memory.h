// GuestMemory of a machine that a VMM of this host runs: its RAM files, mapped. What the guest
// writes shows at once, and what is written here is the guest's at once: freeze it first.
#pragma once

#include <memory>
#include <vector>

#include "capture/qemu/ram_map.h"
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

  // From now on pages are shown with the guest's own bytes in place of these breakpoints (where the
  // guest has written something else meanwhile, that is shown); they are copies then. Not to be
  // called while another thread reads.
  void Hide(std::vector<PlantedByte> planted);

  // Whether that byte of the guest's memory is this one, hidden or not.
  bool Holds(Pa pa, std::byte byte) const;

  std::span<const MemoryRegion> regions() const override { return regions_; }
  // A page that the guest never touched reads as zeros, and takes up host memory from then on.
  PageView View(Pfn pfn) const override;
  // Errors: kOutOfRange, kReadOnly when the RAM file may not be written.
  Result<std::byte*> Writable(Pfn pfn) override;
  // By the holes in the RAM file.
  Pfn NextTouched(Pfn from) const override;

 private:
  struct Mapped {
    RamPiece piece;
    std::byte* bytes;
    bool writable;
  };

  LiveMemory() = default;
  Status MapPiece(const RamPiece& piece);
  const Mapped* Find(Pfn pfn) const;
  PageView WithoutPlanted(const std::byte* page, Pfn pfn) const;

  std::vector<UniqueFd> files_;
  std::vector<Mapped> mapped_;
  std::vector<MemoryRegion> regions_;
  std::vector<PlantedByte> planted_;  // sorted by address
};

}  // namespace ktstr
