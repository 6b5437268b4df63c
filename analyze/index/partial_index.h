// PartialIndex: the tables that questions ask for, made when they are asked for, in memory.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "analyze/index/database.h"
#include "analyze/index/tables.h"
#include "libcore/base/result.h"
#include "replay/machine.h"

namespace ktstr {

// Walks what a statement reads, where an index would walk everything: `tasks` walks tasks, and of
// them what it shows. The machine must outlive it.
class PartialIndex {
 public:
  // Without tables. Errors: kIo.
  static Result<PartialIndex> Open(Machine& machine, const KernelChoice& choice);

  Database& database() { return database_; }
  // Declares the tables and views that the statement names, or all of them where it asks which
  // there are, and fills those that it reads, also behind views: the columns that it reads. What is
  // wrong with the statement is for the query to say. Errors: kIo.
  Status Fill(const std::string& sql);
  // What is damaged of the archive, as far as tables that were filled lack something for it.
  const std::optional<Error>& damage() const { return damage_; }

 private:
  PartialIndex(Machine& machine, const KernelChoice& choice, Database database)
      : machine_(&machine), choice_(choice), database_(std::move(database)) {}
  Status Declare(const std::set<std::string, std::less<>>& names);
  // Of `read` what is not filled yet, and all that it is made of.
  TablesWanted Missing(const ColumnsRead& read) const;
  Status Walk(const TablesWanted& missing);

  Machine* machine_;
  KernelChoice choice_;
  Database database_;
  std::set<std::string, std::less<>> declared_;
  TablesWanted filled_;
  std::optional<Error> damage_;
};

}  // namespace ktstr
