// Where the RAM of a running QEMU is: which file, and which part of it is which guest-physical
// address; of RAM in no file that could be mapped, whom to ask for it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "capture/qemu/ram_source.h"
#include "libcore/base/address.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// A run of guest RAM that lies in one piece in one file, or in the map's source.
struct RamPiece {
  static constexpr size_t kNoFile = std::numeric_limits<size_t>::max();

  Pfn begin;
  uint64_t pages = 0;
  size_t file = kNoFile;  // index into RamMap::files; kNoFile: RamMap::source has it
  uint64_t offset = 0;    // of the first page in that file, in bytes; its address in the source

  Pfn end() const { return begin + pages; }
  friend bool operator==(const RamPiece&, const RamPiece&) = default;
};

struct RamMap {
  std::vector<UniqueFd> files;
  std::vector<RamPiece> pieces = {};            // ascending, disjoint
  std::unique_ptr<RamSource> source = nullptr;  // of the pieces in no file
  // Why QEMU's process could not be read, so that its monitor is asked; empty when it was not.
  std::string why_monitor = "";
};

// Joins pieces that go on where the last one ends, in the guest and in the file.
std::vector<RamPiece> JoinPieces(std::vector<RamPiece> pieces);

// Finds the RAM of the QEMU at the other end of `qmp`, which is process `pid` of this machine, by
// asking it for its memory map and for the address at which it maps each range, and /proc for the
// file that is mapped there. RAM in files, deleted files and memfds that QEMU shares is mapped here
// too; all other RAM is read out of QEMU's process where that is permitted, and else asked for
// through `qmp`, which must outlive the map then. What the CPUs see as ROM but lies in the same
// memory (shadowed firmware) counts as RAM. Errors: kPeer when QEMU has no RAM that could be had,
// kIo, kTimeout.
Result<RamMap> FindRam(QmpClient& qmp, pid_t pid);

}  // namespace ktstr
