// Place records: behind each memory frame stands which pages it holds, so that the frame is worth
// something even where the page table at the end of the file is lost (FORMAT.md, "Place records").
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "libcore/archive/format.h"
#include "libcore/archive/relocation.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr::archive {

// What became of some pages that follow one another.
struct PlacedRun {
  Pfn first;
  uint64_t pages = 0;
  RunKind kind = RunKind::kZero;
  // kSame, kSequence, kRelocated: the (first) stored page; kLeftOut: the reason.
  uint64_t argument = 0;
  Relocation relocation = {};  // kRelocated: of the first page

  friend bool operator==(const PlacedRun&, const PlacedRun&) = default;
};

// Collects what becomes of pages, in ascending order, until a memory frame takes it along.
class PlaceLog {
 public:
  void Add(Pfn first, uint64_t pages, RunKind kind, uint64_t argument = 0,
           const Relocation& relocation = {});
  std::vector<PlacedRun> Take() { return std::exchange(runs_, {}); }

 private:
  std::vector<PlacedRun> runs_;
};

// A piece of the opening: what the sections say of the machine, a second time, in the records of
// the first frames.
struct OpeningPiece {
  uint64_t offset = 0;  // in the opening, in bytes
  uint64_t size = 0;    // of the whole opening, in bytes
  std::span<const std::byte> bytes;
};

struct PlaceRecord {
  uint64_t first_stored = 0;    // the number of the frame's first stored page
  std::vector<PlacedRun> runs;  // those of stored pages are the frame's, in order
  OpeningPiece opening;         // into the bytes that were decoded; empty in most records
};

// Appends a record of at most `room` bytes to `out`. It takes what fits out of `runs`, but all
// stored ones, and out of the front of `opening`; what does not fit stays there.
void AppendPlaceRecord(uint64_t first_stored, size_t room, std::vector<PlacedRun>& runs,
                       OpeningPiece& opening, std::vector<std::byte>& out);

// The size of the record that `bytes` begin with, as it says itself, in bytes; 0 when they begin
// with none.
size_t PlaceRecordSize(std::span<const std::byte> bytes);
// Decodes a record, found by that size. Errors: kDamaged.
Result<PlaceRecord> DecodePlaceRecord(std::span<const std::byte> record);

}  // namespace ktstr::archive
