// Compares tables of two indexes row by row.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/diff/difference.h"
#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// Which rows are the same thing, and what of it is compared. SQL over one row; {0} in `table` is
// the schema.
struct TableDiff {
  std::string table;                  // a table or a query in parentheses
  std::vector<std::string> identity;  // columns that make a row the same thing in both
  std::string subject;                // how it is called
  std::string summary;                // what is said of one that appeared or is gone
  std::vector<std::string> fields;    // columns that are compared
};

// Those that appeared, are gone, changed, in this order. Errors: those of Database.
Result<std::vector<Difference>> CompareTables(Database& both, const TableDiff& diff);

// The fields are counters: rows that are in both, each counter that moved, by how much and how fast
// when `elapsed_ns` (not 0) lies between the two. The largest ones of a counter first. Errors:
// those of Database.
Result<std::vector<Difference>> CompareCounters(Database& both, const TableDiff& diff,
                                                std::optional<int64_t> elapsed_ns);

}  // namespace ktstr
