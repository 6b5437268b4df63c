// What a query of the user's may do: look at everything and change nothing.
#pragma once

#include <set>
#include <string>

struct sqlite3;

namespace ktstr {

// While one lives, the connection refuses every statement that is no question: writes, ATTACH,
// PRAGMAs but for those that only tell of tables.
class ReadingOnly {
 public:
  // The tables and views that statements read go into `read`.
  ReadingOnly(sqlite3* db, std::set<std::string>* read);
  ~ReadingOnly();
  ReadingOnly(const ReadingOnly&) = delete;
  ReadingOnly& operator=(const ReadingOnly&) = delete;

 private:
  sqlite3* db_;
};

}  // namespace ktstr
