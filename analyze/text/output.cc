#include "analyze/text/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "analyze/text/colour.h"
#include "analyze/text/json_cell.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr size_t kGap = 2;        // columns between columns
constexpr size_t kNarrowest = 8;  // a text column is never cut below this

bool IsNumber(const Value& value) {
  return std::holds_alternative<int64_t>(value) || std::holds_alternative<double>(value);
}

// Takes from the widest columns that can be cut until everything fits, or nothing is left to take.
void Shrink(std::vector<size_t>& widths, const std::vector<bool>& numeric, size_t max_width) {
  const auto total = [&] {
    size_t sum = kGap * (widths.size() - 1);
    for (const size_t w : widths) sum += w;
    return sum;
  };
  while (total() > max_width) {
    size_t widest = widths.size();
    for (size_t c = 0; c < widths.size(); ++c) {
      if (numeric[c] || widths[c] <= kNarrowest) continue;
      if (widest == widths.size() || widths[c] > widths[widest]) widest = c;
    }
    if (widest == widths.size()) return;
    --widths[widest];
  }
}

constexpr std::string_view kCsvLineEnd = "\r\n";

std::string CsvField(const std::string& text) {
  if (!text.empty() && text.find_first_of(",\"") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

// With backslashes doubled, so that SafeText's own are told from those of the text.
std::string CsvText(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return ToDisplay(value);
  std::string doubled;
  for (const char c : *text) doubled.append(c == '\\' ? 2 : 1, c);
  return SafeText(doubled);
}

const std::vector<std::string> kNoColumns;

// `columns` are the names by which cells get a colour; none: no cell does.
void AddLine(const std::vector<std::string_view>& cells, const std::vector<size_t>& widths,
             const std::vector<bool>& right, const std::vector<std::string>& columns,
             std::string* text) {
  for (size_t c = 0; c < cells.size(); ++c) {
    if (c > 0) text->append(kGap, ' ');
    std::string cell = CutTo(cells[c], widths[c]);
    const size_t padding = widths[c] - std::min(widths[c], DisplayWidth(cell));
    if (!columns.empty() && columns[c] == "severity") cell = InColourOfSeverity(cell);
    if (right[c]) text->append(padding, ' ');
    *text += cell;
    if (!right[c]) text->append(padding, ' ');
  }
  text->erase(text->find_last_not_of(' ') + 1);
  *text += '\n';
}

// A result as it is shown, before anything is cut. All rows are held, since the widths are known
// only when all have been seen: as one text, since a string each would take more room and time.
class Cells {
 public:
  Cells(const QueryResult& result, std::string_view null)
      : numeric(result.columns.size(), !result.rows.empty()) {
    for (const std::string& name : result.columns) {
      header.push_back(SafeText(name));
      widths.push_back(DisplayWidth(header.back()));
    }
    ends_.reserve(result.rows.size() * widths.size());
    for (const auto& row : result.rows) {
      for (size_t c = 0; c < widths.size(); ++c) {
        const std::string shown = ToDisplay(row[c], null);
        widths[c] = std::max(widths[c], DisplayWidth(shown));
        if (!IsNumber(row[c]) && !std::holds_alternative<std::monostate>(row[c])) {
          numeric[c] = false;
        }
        texts_ += shown;
        ends_.push_back(texts_.size());
      }
    }
  }

  // The cells of a row, in place.
  std::vector<std::string_view> Row(size_t row) const {
    std::vector<std::string_view> cells;
    for (size_t i = row * widths.size(); cells.size() < widths.size(); ++i) {
      const size_t begin = i == 0 ? 0 : ends_[i - 1];
      cells.push_back(std::string_view(texts_).substr(begin, ends_[i] - begin));
    }
    return cells;
  }

  std::vector<std::string> header;
  std::vector<size_t> widths;
  std::vector<bool> numeric;

 private:
  std::string texts_;
  std::vector<size_t> ends_;  // of each cell in them
};

std::string Dumped(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

// A cell that holds JSON is that JSON, letter by letter: reading it in and writing it out might
// lose something. Where it is none after all, it is text.
std::string JsonText(const Value& value, bool holds_json) {
  const auto* text = std::get_if<std::string>(&value);
  if (holds_json && text != nullptr && nlohmann::json::accept(*text)) return *text;
  return Dumped(JsonCell(value));
}

}  // namespace

std::string ToDisplay(const Value& value, std::string_view null) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&value)) return SafeText(*text);
  return std::string(null);
}

std::string ToTextTable(const QueryResult& result, const TextTableOptions& options) {
  Cells cells(result, options.null);
  if (options.max_width != 0 && !cells.widths.empty()) {
    Shrink(cells.widths, cells.numeric, options.max_width);
  }
  std::string text;
  AddLine({cells.header.begin(), cells.header.end()}, cells.widths, cells.numeric, {}, &text);
  for (size_t row = 0; row < result.rows.size(); ++row) {
    AddLine(cells.Row(row), cells.widths, cells.numeric,
            options.colours ? result.columns : kNoColumns, &text);
  }
  return text;
}

size_t TextTableWidth(const QueryResult& result, std::string_view null) {
  const Cells cells(result, null);
  size_t width = 0;
  for (const size_t column : cells.widths) width += column + kGap;
  return width == 0 ? 0 : width - kGap;
}

JsonRows::JsonRows(const QueryResult& head) : holds_json_(head.holds_json) {
  for (const std::string& column : head.columns) keys_.push_back(Dumped(column));
}

std::string JsonRows::Row(const std::vector<Value>& row) {
  std::string text = std::exchange(begun_, true) ? ",\n  {" : "[\n  {";
  for (size_t c = 0; c < row.size(); ++c) {
    const bool holds_json = c < holds_json_.size() && holds_json_[c];
    text += fmt::format("{}{}:{}", c == 0 ? "" : ",", keys_[c], JsonText(row[c], holds_json));
  }
  return text + "}";
}

std::string JsonRows::End() const { return begun_ ? "\n]\n" : "[]\n"; }

std::string ToJson(const QueryResult& result) {
  // Row by row: a whole document in memory would be several times the result's size.
  JsonRows rows(result);
  std::string text;
  for (const auto& row : result.rows) text += rows.Row(row);
  return text + rows.End();
}

std::string CsvHeader(const std::vector<std::string>& columns) {
  std::string text;
  for (const std::string& column : columns) {
    text += (text.empty() ? "" : ",") + CsvField(CsvText(column));
  }
  return text.append(kCsvLineEnd);
}

std::string CsvRow(const std::vector<Value>& row) {
  std::string text;
  for (size_t c = 0; c < row.size(); ++c) {
    if (c > 0) text += ',';
    const bool is_null = std::holds_alternative<std::monostate>(row[c]);
    if (!is_null) text += CsvField(CsvText(row[c]));
  }
  return text.append(kCsvLineEnd);
}

std::string ToCsv(const QueryResult& result) {
  std::string text = CsvHeader(result.columns);
  for (const auto& row : result.rows) text += CsvRow(row);
  return text;
}

std::string ToLines(const QueryResult& result, std::string_view null) {
  std::vector<std::string> names;
  size_t width = 0;
  for (const std::string& name : result.columns) {
    names.push_back(SafeText(name));
    width = std::max(width, DisplayWidth(names.back()));
  }
  std::string text;
  for (const auto& row : result.rows) {
    if (!text.empty()) text += '\n';
    for (size_t c = 0; c < row.size(); ++c) {
      const std::string padding(width - DisplayWidth(names[c]), ' ');
      text += fmt::format("{}{} = {}\n", padding, names[c], ToDisplay(row[c], null));
    }
  }
  return text;
}

std::string EscapeControls(std::string_view json) {
  std::string escaped;
  escaped.reserve(json.size());
  for (size_t i = 0; i < json.size(); ++i) {
    const auto byte = static_cast<uint8_t>(json[i]);
    const uint8_t next = i + 1 < json.size() ? static_cast<uint8_t>(json[i + 1]) : 0;
    if (byte == 0x7f) {
      escaped += "\\u007f";
    } else if (byte == 0xc2 && 0x80 <= next && next <= 0x9f) {
      escaped += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      escaped += json[i];
    }
  }
  return escaped;
}

size_t TerminalWidth() {
  winsize size = {};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

}  // namespace ktstr
