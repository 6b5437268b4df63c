// Views: common questions as tables, each in a file of SQL (views/*.sql) that CREATEs it: first a
// comment that says what it shows, then the columns, each below a comment of its own. They use
// nothing but SQLite's own functions, so that every SQLite client can show them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

struct ViewColumn {
  std::string name;
  std::string meaning;
};

struct View {
  std::string_view name;
  std::string_view text;  // the file
  std::string meaning;
  std::vector<ViewColumn> columns;
};

// In order of their names.
const std::vector<View>& Views();

// Adds one to an index, or all of them to one that has all tables. Errors: those of Database.
Status AddView(Database& index, const View& view);
Status AddViews(Database& index);

// The unit that a column's name ends in, such as "ns" of waiting_ns; empty for none.
std::string_view UnitOf(std::string_view column);

}  // namespace ktstr
