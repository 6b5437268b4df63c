// How each instruction and variable that a test watches is watched: by a debug register of the
// vCPUs, or by a breakpoint instruction in the guest's text.
//
// TCG compares every address itself and needs neither. KVM has the processor's four debug registers
// for break- and watchpoints together. What only they can do gets them first: a variable; then an
// instruction that the kernel itself may rewrite while it runs (a breakpoint there would be taken
// for the kernel's own, or be found by ftrace where it expects a nop). Everything else is as many
// breakpoint instructions as one likes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "capture/qemu/gdb_stub.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

// A range of a variable that one debug register can watch: 1, 2, 4 or 8 bytes, naturally aligned
// (Intel SDM volume 3, "Debug Registers").
struct WatchPiece {
  Kva address;
  uint64_t size = 0;

  friend bool operator==(const WatchPiece&, const WatchPiece&) = default;
};
std::vector<WatchPiece> AlignedPieces(Kva address, uint64_t size);

// An instruction to be watched.
struct PlaceWish {
  std::string name;                // as messages call it
  Kva address;                     // of a function, or of an instruction in it
  bool entry = true;               // a function's first instruction: any before its body will do
  bool exact = false;              // a user named it: rather there than a little behind it
  std::vector<std::byte> text;     // what stands there, some 32 bytes
  bool instruction_known = false;  // one begins there for certain; of an entry it always does
};

struct PlannedPlace {
  Kva address;  // where the point is set
  BreakpointKind kind = BreakpointKind::kHardware;

  friend bool operator==(const PlannedPlace&, const PlannedPlace&) = default;
};

// A plan for each of the wishes, with so many debug registers left by what is watched for writes.
// Errors: kUnsupported when a place needs a debug register and none is left, or when a breakpoint
// instruction would damage the guest's text.
Result<std::vector<PlannedPlace>> PlanPlaces(const std::vector<PlaceWish>& wishes,
                                             std::optional<int> registers);

// Of a function's text, how many bytes come before its body: the landing pad of indirect branches
// (endbr64, or the nop that the kernel seals one with) and the nop that ftrace replaces. A CPU
// there has changed nothing yet.
size_t PreambleSize(std::span<const std::byte> text);

// Whether the kernel rewrites instructions like this one while it runs: nops of static keys and
// ftrace, jumps, calls (static calls, ftrace); or has done so with a breakpoint of its own.
bool MayBePatched(std::span<const std::byte> text);

// The size of the instruction that `text` begins with, in bytes; 0 when it is none.
size_t InstructionSize(std::span<const std::byte> text);

// Whether one of the instructions from the function's beginning on begins at `offset`. False as
// well when `text` cannot be decoded that far.
bool InstructionBeginsAt(std::span<const std::byte> text, size_t offset);

}  // namespace ktstr
