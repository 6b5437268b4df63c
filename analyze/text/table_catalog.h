// Which tables of the index the subcommands for tables show, and which of their columns first.
#pragma once

#include <vector>

namespace ktstr {

// A column that people ask for first: of the table, or computed. What is computed of nothing is
// NULL (printf makes 0 of it).
struct NamedColumn {
  NamedColumn(const char* name) : name(name), sql(name) {}  // NOLINT: written in lists
  NamedColumn(const char* name, const char* sql) : name(name), sql(sql) {}
  const char *name, *sql;
};

// One table: "SELECT columns FROM table WHERE filter ORDER BY order". JSON has all columns of all
// rows.
struct TablePart {
  const char* name;  // a key in JSON; a heading in text, where there are several
  const char* table;
  std::vector<NamedColumn> columns;
  const char* order = "";
  const char* filter = "";
};

struct TableCommand {
  const char* name;
  const char* help;
  std::vector<TablePart> parts;
};

const std::vector<TableCommand>& TableCommands();

}  // namespace ktstr
