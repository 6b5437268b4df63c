// What a query of the user's may do: look at everything and change nothing.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

struct sqlite3;

namespace ktstr {

// The tables and views that statements read, and of each the columns: one that has no name where
// only the rows count.
using ColumnsRead = std::map<std::string, std::set<std::string, std::less<>>>;

// While one lives, the connection refuses every statement that is no question: writes, ATTACH,
// PRAGMAs but for those that only tell of tables.
class ReadingOnly {
 public:
  // What statements read goes into `read`.
  ReadingOnly(sqlite3* db, ColumnsRead* read);
  ~ReadingOnly();
  ReadingOnly(const ReadingOnly&) = delete;
  ReadingOnly& operator=(const ReadingOnly&) = delete;

 private:
  sqlite3* db_;
};

}  // namespace ktstr
