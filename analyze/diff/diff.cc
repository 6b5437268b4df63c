#include "analyze/diff/diff.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>

#include "analyze/diff/page_contents.h"
#include "analyze/diff/parts.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

constexpr const char* kOtherRun = "the archives are not of one run";

Status CopyInto(Database& both, const char* schema, const Database& index) {
  KTSTR_TRY(both.Execute(fmt::format("ATTACH ':memory:' AS {}", schema)));
  sqlite3_backup* backup = sqlite3_backup_init(both.handle(), schema, index.handle(), "main");
  const int copied = backup == nullptr ? SQLITE_ERROR : sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (copied == SQLITE_DONE && finished == SQLITE_OK) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("cannot copy an index: {}", sqlite3_errmsg(both.handle())));
}

// A database in memory in which `before` is the schema "a" and `after` is "b". Errors: kIo.
Result<Database> BothIndexes(const Database& before, const Database& after) {
  Database both = KTSTR_TRY(Database::InMemory());
  KTSTR_TRY(CopyInto(both, "a", before));
  KTSTR_TRY(CopyInto(both, "b", after));
  return both;
}

Result<ArchiveDiff::Side> SideOf(const DiffSide& side) {
  const QueryResult at =
      KTSTR_TRY(side.index->Query("SELECT value FROM machine WHERE key = 'captured_at'"));
  return ArchiveDiff::Side{side.name,
                           at.rows.empty() ? "unknown" : ToDisplay(at.rows[0][0], "unknown")};
}

// Leaves in `diff` what was found, or why nothing was.
void AddMemory(const DiffSide& before, const DiffSide& after, ArchiveDiff& diff) {
  if (!diff.relation.one_run) {
    diff.memory_not_compared = kOtherRun;
    return;
  }
  const auto kernel = after.machine->Kernel();
  if (!kernel) {
    diff.memory_not_compared = kernel.error().ToString();
    return;
  }
  const PageContents contents = PageContents::Of(**kernel, *after.index);
  diff.memory = CompareMemory(before.machine->memory(), after.machine->memory(), contents);
}

}  // namespace

bool ArchiveDiff::differs() const {
  return (memory && memory->changed != 0) ||
         std::any_of(tables.begin(), tables.end(),
                     [](const Table& table) { return !table.differences.empty(); });
}

Result<ArchiveDiff> CompareArchives(const DiffSide& before, const DiffSide& after,
                                    const std::set<DiffPart>& parts) {
  Database both = KTSTR_TRY(BothIndexes(*before.index, *after.index));
  ArchiveDiff diff;
  diff.before = KTSTR_TRY(SideOf(before));
  diff.after = KTSTR_TRY(SideOf(after));
  diff.relation = KTSTR_TRY(RelationOf(both));
  for (const DiffPart part : parts) {
    if (part == DiffPart::kMemory) {
      AddMemory(before, after, diff);
      continue;
    }
    ArchiveDiff::Table table{part, KTSTR_TRY(ComparePart(both, part, diff.relation)), ""};
    if (part == DiffPart::kCounters && !diff.relation.one_run) table.not_compared = kOtherRun;
    diff.tables.push_back(std::move(table));
  }
  return diff;
}

}  // namespace ktstr
