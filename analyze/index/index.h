// The index: all tables of one archive in one SQLite file. Derived data, keyed by the archive's
// digest: it can be thrown away at any time.
#pragma once

#include <optional>
#include <string>

#include "analyze/index/database.h"
#include "libcore/base/progress.h"
#include "libcore/base/result.h"
#include "replay/frozen_machine.h"

namespace ktstr {

struct IndexOptions {
  bool use_file = true;  // false: build in memory, write nothing
  // Of an archive of which something is damaged: go on, and mark the tables that may lack something
  // (Database::incomplete). Such an index is not kept.
  bool accept_damage = false;
  // Where an index is built and damage accepted: told what is damaged. May be null.
  std::optional<Error>* damage = nullptr;
  SnapshotMemoryOptions memory;  // of an archive that is not open yet
  KernelChoice kernel;           // an index of any but the usual one is not kept
  Progress progress;             // told of while an index is built; may be empty
};

// The archive's database: the one beside it ("x.kts.index"), or in the user's cache directory, when
// it fits the archive and this program, else a new one, built and kept where that is possible.
// Errors: those of FrozenMachine::Open; kDamaged when something of the archive is damaged and that
// was not accepted; kIo.
Result<Database> OpenIndex(const std::string& archive, const IndexOptions& options);
// The same of an archive that is open. Where the index need not be built, the machine's kernel is
// not looked for.
Result<Database> OpenIndex(FrozenMachine& machine, const IndexOptions& options);

// What an index is keyed by besides the digest: changes whenever the tables' declarations do.
std::string SchemaKey();

// What is damaged of an archive that damage was met in: of what was not whole already when it was
// written, that.
Error WhatIsDamaged(const ArchiveReader& archive);

// Where an index may stand, best first.
std::vector<std::string> IndexPaths(const std::string& archive, const std::string& digest);

}  // namespace ktstr
