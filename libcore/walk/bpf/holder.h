// Which processes have BPF maps, programs and links open: whose scheduler it is, and who reads its
// maps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct BpfHolderRow {
  std::string kind;  // "map", "prog", "link"
  int64_t id = 0;
  std::optional<int64_t> pid;
  int64_t fd = 0;

  static const RowTable<BpfHolderRow>& Table();
  friend bool operator==(const BpfHolderRow&, const BpfHolderRow&) = default;
};

// A row for each file descriptor of each process that is open on such an object, in the order of
// ListTasks. What is held otherwise, as by a pin in a file system, has no row. Errors: those of
// ListTasks.
Result<Walked<BpfHolderRow>> WalkBpfHolders(const GuestKernel& kernel,
                                            const WalkLimits& limits = {});

}  // namespace ktstr
