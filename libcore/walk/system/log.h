// The kernel log: the lock-less printk ring buffer (kernel/printk/printk_ringbuffer.h, since 5.10).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct LogRow {
  std::optional<int64_t> seq, time_ns, level, facility;
  std::optional<std::string> caller;
  std::optional<std::string> subsystem, device;
  std::optional<std::string> text;

  static const RowTable<LogRow>& Table();
  friend bool operator==(const LogRow&, const LogRow&) = default;
};

// All records still in the ring, oldest first; also those that their writer had committed but not
// yet finalized. A record that is being written, or whose text was overwritten, is an anomaly;
// sequence numbers tell what is gone.
Result<Walked<LogRow>> WalkLog(const GuestKernel& kernel);

}  // namespace ktstr
