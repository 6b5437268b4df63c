// The comparison of two archives.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "analyze/diff/difference.h"
#include "analyze/diff/memory_diff.h"
#include "analyze/diff/relation.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "replay/frozen_machine.h"

namespace ktstr {

// One of the two: what the user called it, its index, and what is in it.
struct DiffSide {
  std::string name;
  const Database* index;
  FrozenMachine* machine;
};

struct ArchiveDiff {
  struct Side {
    std::string name, captured_at;
  };
  struct Table {
    DiffPart part;
    std::vector<Difference> differences;
    std::string not_compared;  // why; empty when they were
  };

  Side before, after;
  Relation relation;
  std::vector<Table> tables;  // those that were asked for
  std::optional<MemoryDifference> memory;
  std::string memory_not_compared;

  // Whether anything that was compared differs.
  bool differs() const;
};

// Compares what `parts` asks for. Errors: those of Database.
Result<ArchiveDiff> CompareArchives(const DiffSide& before, const DiffSide& after,
                                    const std::set<DiffPart>& parts);

}  // namespace ktstr
