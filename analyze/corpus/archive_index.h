// One archive of many, opened to be asked: its index, with the functions over its memory.
#pragma once

#include <memory>
#include <string>

#include "analyze/index/database.h"
#include "analyze/memory_sql/memory_sql.h"
#include "libcore/base/result.h"
#include "replay/frozen_machine.h"

namespace ktstr {

class ArchiveIndex {
 public:
  // Errors: those of FrozenMachine::Open and OpenIndex. Ctrl-C ends its queries (interrupt.h).
  static Result<std::unique_ptr<ArchiveIndex>> Open(const std::string& archive,
                                                    SnapshotMemoryOptions memory);

  Database& database() { return *index_; }

 private:
  explicit ArchiveIndex(std::shared_ptr<FrozenMachine> machine)
      : machine_(*machine), memory_(std::move(machine), {}) {}

  FrozenMachine& machine_;  // memory_ owns it
  MemorySource memory_;
  QueryAnomalies anomalies_;
  std::optional<Database> index_;  // uses the two above
};

}  // namespace ktstr
