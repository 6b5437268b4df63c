// An archive that can be given away: without what the guest's users had in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/archive/writer.h"
#include "libcore/base/result.h"
#include "replay/frozen_machine.h"

namespace ktstr {

struct ScrubSummary {
  ArchiveWriteSummary archive;
  uint64_t keys = 0;  // pieces of keyrings that were found
};

// Writes `machine` to `path` without
// - pages of user space, of files' contents, and free ones, as PageClasses tells them;
// - pages that hold a key of the kernel's keyrings, or a variable named in `symbols`: whole pages,
//   so that their neighbours are gone, too (LeftOutReason::kScrubbed);
// - the devices' state and the VMM's command line.
// Everything else stays: the kernel's own memory, with what it has copied of users' data (pipes,
// sockets, the log, the names of tasks), and the registers.
// Errors: kUnsupported where it cannot be told which pages are whose, or keyrings cannot be walked
// to their end: then nothing is written; kNotFound (symbols); those of WriteArchive.
Result<ScrubSummary> ScrubMachine(FrozenMachine& machine, const std::string& path,
                                  const std::vector<std::string>& symbols);

}  // namespace ktstr
