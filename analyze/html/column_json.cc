#include "analyze/html/column_json.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "analyze/views/views.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

ColumnInfo Declaration(std::string_view name, const std::vector<const TableInfo*>& sources) {
  for (const TableInfo* table : sources) {
    for (const ColumnInfo& column : table->columns) {
      if (column.name == name) return column;
    }
  }
  return {name, ColumnType::kText, UnitOf(name), ""};
}

// Only texts, and fewer than half of them different.
bool Repeats(const QueryResult& rows, size_t column) {
  std::unordered_set<std::string_view> different;
  size_t texts = 0;
  for (const auto& row : rows.rows) {
    if (std::holds_alternative<std::monostate>(row[column])) continue;
    const auto* text = std::get_if<std::string>(&row[column]);
    if (text == nullptr) return false;
    different.insert(*text);
    ++texts;
  }
  return texts > 2 && different.size() * 2 <= texts;
}

std::string Cell(const Value& value, SharedTexts* texts) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) {
    return std::isfinite(*real) ? fmt::format("{}", *real) : "null";
  }
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr) return "null";
  return texts == nullptr ? JsonText(*text) : std::to_string(texts->NumberOf(*text));
}

}  // namespace

std::string JsonText(std::string_view text) { return nlohmann::json(SafeText(text)).dump(); }

std::string TextsJson(const SharedTexts& texts) {
  std::string json;
  for (size_t i = 0; i < texts.size(); ++i) {
    json += (json.empty() ? "[" : ",") + JsonText(texts.At(i));
  }
  return json.empty() ? "[]" : json + "]";
}

std::string ColumnsJson(const QueryResult& rows, const std::vector<const TableInfo*>& sources,
                        SharedTexts& texts) {
  std::string json = "[";
  for (size_t c = 0; c < rows.columns.size(); ++c) {
    const ColumnInfo info = Declaration(rows.columns[c], sources);
    const bool shared = Repeats(rows, c);
    json += fmt::format("{}{{\"name\":{},\"unit\":{},\"meaning\":{},{}\"values\":[",
                        c == 0 ? "" : ",", JsonText(info.name), JsonText(info.unit),
                        JsonText(info.meaning), shared ? "\"shared\":true," : "");
    for (size_t r = 0; r < rows.rows.size(); ++r) {
      if (r > 0) json += ',';
      json += Cell(rows.rows[r][c], shared ? &texts : nullptr);
    }
    json += "]}";
  }
  return json + "]";
}

}  // namespace ktstr
