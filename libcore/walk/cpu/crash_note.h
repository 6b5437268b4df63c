// The registers that a crashed kernel saved of its CPUs, as a table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/anomaly.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct CrashNoteRow {
  int64_t cpu = 0;
  int64_t pid = 0;
  std::optional<int64_t> panicked;
  Hex rip, rsp, rflags;
  std::string mode;
  std::optional<std::string> rip_symbol;

  static const RowTable<CrashNoteRow>& Table();
  friend bool operator==(const CrashNoteRow&, const CrashNoteRow&) = default;
};

// The CPU that panicked, or ran into what did, as the kernel counts (panic_cpu, kernel/panic.c);
// nothing when none has, or the kernel does not tell.
std::optional<int64_t> PanicCpu(const GuestKernel& kernel);

std::vector<CrashNoteRow> CrashNoteRows(const GuestKernel& kernel);

}  // namespace ktstr
