// A dump of another tool's becomes an archive. What it lacks is recorded as unknown.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "libcore/archive/writer.h"
#include "libcore/base/result.h"
#include "replay/vmcore/open_vmcore.h"

namespace ktstr::vmcore {

struct ImportOptions {
  bool overwrite = false;
  std::string imported_by;  // the program and its version
  std::map<std::string, std::string> tags;
  // Called now and then: pages done, pages in all.
  std::function<void(uint64_t, uint64_t)> progress = nullptr;
  const std::atomic<bool>* cancel = nullptr;  // set to true to stop: the result is then an error
};

struct ImportSummary {
  ArchiveWriteSummary archive;
  std::string kernel_release;         // empty when no kernel was found
  std::vector<std::string> warnings;  // what the archive lacks, and why
};

// Writes `vmcore` to `output`.
// - Of a dump that we have exported, all is as it was, but for the devices' state; the archive that
//   it was made of is the parent.
// - Of others registers are those of the notes; where only the crashed kernel has saved them, they
//   are read of its own notes in memory, and the archive has none of vCPUs.
// - Pages that were left out get the reason that the kernel's own account of them gives, as far as
//   it does (free, page cache, user data), else kExcluded. No page is taken for zero because a dump
//   was made without zero pages: makedumpfile takes pages of kernels that it does not know for
//   others.
// Errors: those of WriteArchive; kDamaged for a page that should be there and cannot be read,
// unless `cut_off` was kAccept when it was opened: it is then damaged in the archive.
Result<ImportSummary> ImportVmcore(const Vmcore& vmcore, CutOff cut_off, const std::string& output,
                                   const ImportOptions& options);

}  // namespace ktstr::vmcore
