// Who has the pipes open on which tasks sleep: with that it can be told whether anybody is left who
// could wake them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"
#include "libcore/walk/wait/wait.h"

namespace ktstr {

struct PipeEndRow {
  Hex pipe_kva;
  std::string open_for;
  std::optional<int64_t> pid;
  int64_t fd = 0;
  Hex file_kva, files_kva;

  static const RowTable<PipeEndRow>& Table();
  friend bool operator==(const PipeEndRow&, const PipeEndRow&) = default;
};

// A row for each file descriptor of each process that is open on one of the pipes in `waits` (as
// WalkLockWaits gives them), in the order of ListTasks. Threads that share their files are looked
// at once; without a pipe that is waited for nothing is looked at. An end that is open in no
// process, as one on its way through a socket, has no row. Errors: those of ListTasks.
Result<Walked<PipeEndRow>> WalkPipeEnds(const GuestKernel& kernel,
                                        std::span<const LockWaitRow> waits,
                                        const WalkLimits& limits = {});

}  // namespace ktstr
