#include "analyze/diff/diff.h"

#include <algorithm>

#include "analyze/diff/both_indexes.h"
#include "analyze/diff/page_contents.h"
#include "analyze/diff/parts.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

constexpr const char* kOtherRun = "the archives are not of one run";

Result<ArchiveDiff::Side> SideOf(const DiffSide& side) {
  const QueryResult at =
      KTSTR_TRY(side.index->Query("SELECT value FROM machine WHERE key = 'captured_at'"));
  return ArchiveDiff::Side{side.name, at.rows.empty() ? "unknown" : ToDisplay(at.rows[0][0])};
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
