// PartialIndex: the tables that questions ask for, made when they are asked for, in memory.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "replay/machine.h"

namespace ktstr {

// Walks what a statement reads, where an index would walk everything: `tasks` walks tasks. The
// machine must outlive it.
class PartialIndex {
 public:
  // All tables are there, and empty. Errors: kIo.
  static Result<PartialIndex> Open(Machine& machine, const KernelChoice& choice);

  Database& database() { return database_; }
  // Fills the tables that the statement reads, also behind views. What is wrong with the statement
  // is for the query to say. Errors: kIo.
  Status Fill(const std::string& sql);
  // What is damaged of the archive, as far as tables that were filled lack something for it.
  const std::optional<Error>& damage() const { return damage_; }

 private:
  PartialIndex(Machine& machine, const KernelChoice& choice, Database database)
      : machine_(&machine), choice_(choice), database_(std::move(database)) {}
  // Those of `read` that are not filled yet, and all that they are made of.
  std::set<std::string> Missing(const std::set<std::string>& read) const;

  Machine* machine_;
  KernelChoice choice_;
  Database database_;
  std::set<std::string> filled_;
  std::optional<Error> damage_;
};

}  // namespace ktstr
