#include "analyze/index/partial_index.h"

#include <algorithm>

#include "analyze/findings/findings.h"
#include "analyze/index/log_search.h"
#include "analyze/index/own_schema.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "replay/frozen_machine.h"

namespace ktstr {

Result<PartialIndex> PartialIndex::Open(Machine& machine, const KernelChoice& choice) {
  Database database = KTSTR_TRY(Database::InMemory());
  KTSTR_TRY(database.Execute("BEGIN"));
  for (const TableInfo* info : AllTableInfos()) KTSTR_TRY(database.Execute(CreateTableSql(*info)));
  KTSTR_TRY(AddLogSearch(database));
  KTSTR_TRY(AddViews(database));
  KTSTR_TRY(database.Execute("COMMIT"));
  PartialIndex index(machine, choice, std::move(database));
  if (FrozenMachine* frozen = machine.frozen(); frozen && !frozen->archive().lost().empty()) {
    index.damage_ = frozen->archive().lost().front().error;
  }
  return index;
}

std::set<std::string> PartialIndex::Missing(const std::set<std::string>& read) const {
  std::set<std::string> missing;
  const auto tables = AllTableInfos();
  const bool of_all = std::ranges::any_of(tables, [&](const TableInfo* info) {
    return read.contains(std::string(info->name)) &&
           (IsMadeOfOthers(*info) || info->name == "anomaly");
  });
  const bool searches = read.contains(std::string(LogSearchTable().name));
  for (const TableInfo* info : tables) {
    const std::string name(info->name);
    if (filled_.contains(name)) continue;
    if (of_all || read.contains(name) || (searches && name == "log")) missing.insert(name);
  }
  return missing;
}

Status PartialIndex::Fill(const std::string& sql) {
  const std::set<std::string> missing = Missing(database_.TablesIn(sql));
  if (missing.empty()) return {};
  const BuiltTables built = BuildTables(*machine_, choice_, nullptr, {}, &missing);
  KTSTR_TRY(database_.Execute("BEGIN"));
  for (const auto& table : built.tables) {
    if (missing.contains(std::string(table->info().name))) KTSTR_TRY(database_.FillTable(*table));
  }
  for (const TableIndex& index : kTableIndexes) {
    if (missing.contains(index.table)) KTSTR_TRY(database_.Execute(index.statement));
  }
  if (missing.contains("log")) KTSTR_TRY(RebuildLogSearch(database_));
  if (missing.contains("verdict")) {
    KTSTR_TRY(database_.Execute("DROP TABLE finding; DROP TABLE verdict"));
    KTSTR_TRY(AddFindings(database_));
  }
  KTSTR_TRY(database_.Execute("COMMIT"));
  for (const std::string& table : built.incomplete) {
    if (missing.contains(table)) database_.MarkIncomplete(table);
  }
  std::ignore = database_.TakeIncompleteRead();  // what findings were made of
  if (!built.incomplete.empty() && !damage_ && machine_->frozen() != nullptr) {
    damage_ = WhatIsDamaged(machine_->frozen()->archive());
  }
  filled_.insert(missing.begin(), missing.end());
  return {};
}

}  // namespace ktstr
