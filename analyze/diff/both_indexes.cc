#include "analyze/diff/both_indexes.h"

#include <fmt/format.h>
#include <sqlite3.h>

namespace ktstr {

namespace {

Status CopyInto(Database& both, const char* schema, const Database& index) {
  KTSTR_TRY(both.Execute(fmt::format("ATTACH ':memory:' AS {}", schema)));
  sqlite3_backup* backup = sqlite3_backup_init(both.handle(), schema, index.handle(), "main");
  const int copied = backup == nullptr ? SQLITE_ERROR : sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  if (copied == SQLITE_DONE && finished == SQLITE_OK) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("cannot copy an index: {}", sqlite3_errmsg(both.handle())));
}

}  // namespace

Result<Database> BothIndexes(const Database& before, const Database& after) {
  Database both = KTSTR_TRY(Database::InMemory());
  KTSTR_TRY(CopyInto(both, "a", before));
  KTSTR_TRY(CopyInto(both, "b", after));
  return both;
}

}  // namespace ktstr
