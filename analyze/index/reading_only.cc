#include "analyze/index/reading_only.h"

#include <sqlite3.h>

#include <string_view>

namespace ktstr {

namespace {

bool Is(const char* argument, std::string_view name) {
  return argument != nullptr && argument == name;
}

// SQLite asks before every action of a statement that is being prepared: a query of the user's may
// look at everything and change nothing.
int AllowReadingOnly(void* read, int action, const char* argument, const char* column, const char*,
                     const char*) {
  switch (action) {
    case SQLITE_READ:
      if (argument != nullptr) {
        (*static_cast<ColumnsRead*>(read))[argument].emplace(column == nullptr ? "" : column);
      }
      return SQLITE_OK;
    case SQLITE_SELECT:
    case SQLITE_FUNCTION:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_UPDATE:
      // What a virtual table's declaration looks like, json_each's too; a statement that does it is
      // refused by SQLite itself.
      return Is(argument, "sqlite_master") ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_PRAGMA:
      // Full-text search asks for data_version.
      return Is(argument, "data_version") || Is(argument, "table_info") ||
                     Is(argument, "table_xinfo") || Is(argument, "table_list")
                 ? SQLITE_OK
                 : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

}  // namespace

ReadingOnly::ReadingOnly(sqlite3* db, ColumnsRead* read) : db_(db) {
  sqlite3_set_authorizer(db_, AllowReadingOnly, read);
}

ReadingOnly::~ReadingOnly() { sqlite3_set_authorizer(db_, nullptr, nullptr); }

}  // namespace ktstr
