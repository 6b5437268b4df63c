// Where the RAM of a running QEMU is: which file, and which part of it is which guest-physical
// address.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "capture/system/unique_fd.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"

namespace ktstr {

// A run of guest RAM that lies in one piece in one file.
struct RamPiece {
  Pfn begin;
  uint64_t pages = 0;
  size_t file = 0;      // index into RamMap::files
  uint64_t offset = 0;  // of the first page in that file, in bytes

  Pfn end() const { return begin + pages; }
  friend bool operator==(const RamPiece&, const RamPiece&) = default;
};

struct RamMap {
  std::vector<UniqueFd> files;
  std::vector<RamPiece> pieces;  // ascending, disjoint
};

// Joins pieces that go on where the last one ends, in the guest and in the file.
std::vector<RamPiece> JoinPieces(std::vector<RamPiece> pieces);

// Finds the RAM of the QEMU at the other end of `qmp`, which is process `pid` of this machine, by
// asking it for its memory map and for the address at which it maps each range, and /proc for the
// file that is mapped there. Works for RAM in files, deleted files and memfds, in one or more
// pieces. What the CPUs see as ROM but lies in the same file (shadowed firmware) counts as RAM.
// Errors: kPeer when QEMU's RAM cannot be shared (the message says what to start it with), kIo when
// /proc refuses, kTimeout.
Result<RamMap> FindRam(QmpClient& qmp, pid_t pid);

}  // namespace ktstr
