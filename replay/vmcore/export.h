// A frozen machine as a dump that other tools read: crash, drgn, gdb, libkdumpfile.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "replay/frozen_machine.h"
#include "replay/vmcore/export_target.h"

namespace ktstr::vmcore {

enum class ExportFormat {
  kElf,    // an ELF core, as QEMU's dump-guest-memory with paging and /proc/vmcore
  kKdump,  // kdump-compressed (kdump_format.h)
  kRaw,    // the bytes of RAM alone, each at its address
};
enum class PageCompression { kZlib, kZstd };

struct ExportOptions {
  ExportFormat format = ExportFormat::kElf;
  PageCompression compression = PageCompression::kZlib;  // of kKdump
  int threads = 0;                                       // 0: one per CPU
  // Called now and then: pages done, pages in all.
  std::function<void(uint64_t, uint64_t)> progress = nullptr;
  const std::atomic<bool>* cancel = nullptr;  // set to true to stop: the result is then an error
};

struct ExportSummary {
  uint64_t size = 0;  // of the dump, in bytes, holes included
  uint64_t present_pages = 0, zero_pages = 0, absent_pages = 0;
  std::vector<std::string> warnings;  // what the dump lacks, and why
};

// Writes `machine`, with registers, VMCOREINFO and what only archives hold (core_notes.h) as notes.
// Pages that the archive does not have are in no segment of an ELF core and in no bitmap of pages
// that a kdump file holds; those that are known to be zero are there.
// Errors: kUnreadable where raw RAM is asked for and pages are missing, which it has no way to say;
// kDamaged for a page that the archive should have; kIo; kInterrupted when cancelled.
Result<ExportSummary> ExportMachine(FrozenMachine& machine, ExportTarget& target,
                                    const ExportOptions& options);

}  // namespace ktstr::vmcore
