#include "analyze/index/partial_index.h"

#include <algorithm>
#include <utility>

#include "analyze/findings/findings.h"
#include "analyze/index/log_search.h"
#include "analyze/index/own_schema.h"
#include "analyze/index/sql_words.h"
#include "analyze/views/views.h"
#include "libcore/walk/system/log.h"
#include "replay/frozen_machine.h"

namespace ktstr {

namespace {

using Names = std::set<std::string, std::less<>>;

bool AsksForSchema(const Names& words) {
  return std::ranges::any_of(words, [](const std::string& word) {
    return word.starts_with("sqlite_") || word.starts_with("pragma");
  });
}

// Also where only the search's own tables (log_text_…) are named.
bool NamesLogSearch(const Names& words) {
  const auto word = words.lower_bound(LogSearchTable().name);
  return word != words.end() && word->starts_with(LogSearchTable().name);
}

// The file of a view without its comments, each of which has a line of its own.
std::string StatementOf(const View& view) {
  std::string statement;
  for (std::string_view rest = view.text; !rest.empty();) {
    const size_t end = std::min(rest.find('\n'), rest.size() - 1);
    const std::string_view line = rest.substr(0, end + 1);
    const size_t text = std::min(line.find_first_not_of(' '), line.size());
    if (!line.substr(text).starts_with("--")) statement += line;
    rest.remove_prefix(end + 1);
  }
  return statement;
}

// With what the views among them name; views may be made of views.
Names WithPartsOfViews(Names names) {
  for (size_t before = 0; before != names.size();) {
    before = names.size();
    for (const View& view : Views()) {
      if (names.contains(view.name)) names.merge(SqlWords(StatementOf(view)));
    }
  }
  return names;
}

Names AllNames() {
  Names names = {std::string(LogSearchTable().name)};
  for (const TableInfo* info : AllTableInfos()) names.emplace(info->name);
  for (const View& view : Views()) names.emplace(view.name);
  return names;
}

}  // namespace

Result<PartialIndex> PartialIndex::Open(Machine& machine, const KernelChoice& choice) {
  PartialIndex index(machine, choice, KTSTR_TRY(Database::InMemory()));
  if (FrozenMachine* frozen = machine.frozen(); frozen && !frozen->archive().lost().empty()) {
    index.damage_ = frozen->archive().lost().front().error;
  }
  return index;
}

Status PartialIndex::Declare(const Names& names) {
  const auto is_new = [&](std::string_view name) {
    return names.contains(name) && declared_.emplace(name).second;
  };
  for (const TableInfo* info : AllTableInfos()) {
    if (is_new(info->name)) KTSTR_TRY(database_.Execute(CreateTableSql(*info)));
  }
  if (NamesLogSearch(names)) {
    if (declared_.emplace("log").second) {
      KTSTR_TRY(database_.Execute(CreateTableSql(LogRow::Table().info)));
    }
    if (declared_.emplace(LogSearchTable().name).second) KTSTR_TRY(AddLogSearch(database_));
  }
  for (const View& view : Views()) {
    if (is_new(view.name)) KTSTR_TRY(AddView(database_, view));
  }
  return {};
}

TablesWanted PartialIndex::Missing(const ColumnsRead& read) const {
  TablesWanted missing;
  const auto tables = AllTableInfos();
  const bool of_all = std::ranges::any_of(tables, [&](const TableInfo* info) {
    return read.contains(std::string(info->name)) &&
           (IsMadeOfOthers(*info) || info->name == "anomaly");
  });
  const bool searches = read.contains(std::string(LogSearchTable().name));
  for (const TableInfo* info : tables) {
    const std::string name(info->name);
    ColumnsWanted columns;
    if (!of_all && !(searches && name == "log")) {
      const auto of_table = read.find(name);
      if (of_table == read.end()) continue;
      columns = ColumnsWanted(of_table->second);
    }
    const auto filled = filled_.find(name);
    if (filled == filled_.end()) {
      missing.emplace(name, columns);
    } else if (!filled->second.Contains(columns)) {
      // Who comes back for more may come again.
      missing.emplace(name, ColumnsWanted());
    }
  }
  return missing;
}

Status PartialIndex::Fill(const std::string& sql) {
  const Names words = SqlWords(sql);
  KTSTR_TRY(database_.Execute("BEGIN"));
  KTSTR_TRY(Declare(AsksForSchema(words) ? AllNames() : WithPartsOfViews(words)));
  TablesWanted missing = Missing(database_.ReadIn(sql));
  // Findings are made of everything.
  if (missing.contains("anomaly") || missing.contains("verdict")) {
    KTSTR_TRY(Declare(AllNames()));
    missing = Missing(database_.ReadIn(sql));
  }
  KTSTR_TRY(database_.Execute("COMMIT"));
  return missing.empty() ? Status() : Walk(missing);
}

Status PartialIndex::Walk(const TablesWanted& missing) {
  const BuiltTables built = BuildTables(*machine_, choice_, nullptr, {}, &missing);
  KTSTR_TRY(database_.Execute("BEGIN"));
  for (const auto& table : built.tables) {
    const std::string_view name = table->info().name;
    const auto wanted = missing.find(name);
    if (wanted == missing.end()) continue;
    if (filled_.contains(name)) {
      KTSTR_TRY(database_.Execute("DELETE FROM \"" + wanted->first + "\""));
    }
    KTSTR_TRY(database_.FillTable(*table, wanted->second));
  }
  for (const TableIndex& index : kTableIndexes) {
    if (!missing.contains(index.table) || filled_.contains(index.table)) continue;
    KTSTR_TRY(database_.Execute(index.statement));
  }
  if (missing.contains("log") && declared_.contains(LogSearchTable().name)) {
    KTSTR_TRY(RebuildLogSearch(database_));
  }
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
  for (const auto& [table, columns] : missing) filled_.insert_or_assign(table, columns);
  return {};
}

}  // namespace ktstr
