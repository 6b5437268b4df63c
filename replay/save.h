// A machine that was changed, kept as an archive of its own.
#pragma once

#include <map>
#include <string>

#include "libcore/archive/writer.h"
#include "libcore/base/result.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// Writes the machine as it stands, with all that was written to it, to `path`. Pages that were left
// out of its archive or are damaged there are so here; registers and device state are the same;
// parent_digest names the archive that it comes from, which is not touched. `tags` are added to
// that one's. Errors: those of WriteArchive, among them kExists, also for that archive's own name;
// those of ArchiveReader::ReadDeviceState.
Result<ArchiveWriteSummary> SaveMachine(const FrozenMachine& machine, const std::string& path,
                                        const std::map<std::string, std::string>& tags = {});

}  // namespace ktstr
