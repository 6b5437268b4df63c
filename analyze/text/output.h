// Query results as people and programs read them.
#pragma once

#include <string>
#include <string_view>

#include "analyze/index/database.h"

namespace ktstr {

struct TextTableOptions {
  size_t max_width = 0;         // in columns; 0: as wide as it gets
  std::string_view null = "-";  // what stands for NULL
  bool colours = false;         // of a column "severity" (colour.h)
};

// Aligned columns with a header, numbers to the right. What does not fit into
// max_width is cut from the widest text columns first and marked with "…".
std::string ToTextTable(const QueryResult& result, const TextTableOptions& options = {});

// How many columns that takes when nothing is cut.
size_t TextTableWidth(const QueryResult& result, std::string_view null = "-");

// An array of objects keyed by column; NULL as null; what a column of ours holds as JSON is that
// JSON. Ends with a newline.
std::string ToJson(const QueryResult& result);
// Its pieces, for results that are written row by row; `head` has columns and no rows.
class JsonRows {
 public:
  explicit JsonRows(const QueryResult& head);
  std::string Row(const std::vector<Value>& row);
  std::string End() const;

 private:
  std::vector<std::string> keys_;
  std::vector<bool> holds_json_;
  bool begun_ = false;
};

// RFC 4180, with a header, lines that end in CR LF. Text that is empty is "", NULL nothing at all.
// Control characters are \x1b and the like, a newline \n, a backslash \\: a record is a line, no
// value can drive a terminal, and no two are written alike.
std::string ToCsv(const QueryResult& result);
// Its lines, for results that are written row by row.
std::string CsvHeader(const std::vector<std::string>& columns);
std::string CsvRow(const std::vector<Value>& row);

// Each row as lines "column = value", with an empty line between rows.
std::string ToLines(const QueryResult& result, std::string_view null = "-");

// JSON whose strings cannot drive a terminal either: JSON itself asks to escape the control
// characters below U+0020, this does it for U+007F to U+009F as well.
std::string EscapeControls(std::string_view json);

// A cell as text for people.
std::string ToDisplay(const Value& value, std::string_view null = "-");

// The width of the terminal at standard output in columns; 0 when it is none.
size_t TerminalWidth();

}  // namespace ktstr
