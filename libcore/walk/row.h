// Rows: what walkers yield. A row type is declared once, with name, type, unit and meaning of each
// column; the SQLite tables, JSON, text tables and the schema documentation all come from that.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "ktstr/base/address.h"

namespace ktstr {

// A 64-bit address or id; shown and stored as text, "0x" and 16 digits, so that it sorts and
// compares.
struct Hex {
  uint64_t value = 0;

  Hex() = default;
  explicit Hex(uint64_t v) : value(v) {}
  explicit Hex(Kva kva) : value(kva.value()) {}
  friend auto operator<=>(const Hex&, const Hex&) = default;
};
std::string ToText(Hex hex);

// A cell. Unknown is monostate (SQL NULL), never 0 or an empty string.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

inline Value ToValue(int64_t v) { return v; }
inline Value ToValue(double v) { return v; }
inline Value ToValue(const std::string& v) { return v; }
inline Value ToValue(Hex v) { return ToText(v); }
template <typename T>
Value ToValue(const std::optional<T>& v) {
  return v ? ToValue(*v) : Value();
}

enum class ColumnType { kInteger, kReal, kText };

// What a column is, for people and for the schema.
struct ColumnInfo {
  std::string_view name;
  ColumnType type;
  std::string_view unit;  // "ns", "pages", …; empty for plain numbers and text
  std::string_view meaning;
};

struct TableInfo {
  std::string_view name;
  std::string_view meaning;
  std::vector<ColumnInfo> columns;
};

namespace internal {
template <typename T>
struct ColumnTypeOf {
  static constexpr ColumnType value = ColumnType::kText;
};
template <>
struct ColumnTypeOf<int64_t> {
  static constexpr ColumnType value = ColumnType::kInteger;
};
template <>
struct ColumnTypeOf<double> {
  static constexpr ColumnType value = ColumnType::kReal;
};
template <typename T>
struct ColumnTypeOf<std::optional<T>> : ColumnTypeOf<T> {};
template <typename T>
struct MemberPointer;
template <typename R, typename T>
struct MemberPointer<T R::*> {
  using Row = R;
  using Type = T;
};
}  // namespace internal

// A column of a row type: its description and how to get it out of a row.
template <typename Row>
struct Column {
  ColumnInfo info;
  Value (*get)(const Row&);
};

// The column that shows a member: Col<&TaskRow::pid>("pid", "", "…").
template <auto kMember>
auto Col(std::string_view name, std::string_view unit, std::string_view meaning) {
  using Traits = internal::MemberPointer<decltype(kMember)>;
  using Row = typename Traits::Row;
  return Column<Row>{{name, internal::ColumnTypeOf<typename Traits::Type>::value, unit, meaning},
                     [](const Row& row) { return ToValue(row.*kMember); }};
}

// The same for a member of a part of the row: Sub<&CpuRow::tick, &CpuTick::stopped>(…).
template <auto kPart, auto kMember>
auto Sub(std::string_view name, std::string_view unit, std::string_view meaning) {
  using Row = typename internal::MemberPointer<decltype(kPart)>::Row;
  using Type = typename internal::MemberPointer<decltype(kMember)>::Type;
  return Column<Row>{{name, internal::ColumnTypeOf<Type>::value, unit, meaning},
                     [](const Row& row) { return ToValue((row.*kPart).*kMember); }};
}

// A row type's whole declaration.
template <typename Row>
struct RowTable {
  TableInfo info;
  std::vector<Value (*)(const Row&)> getters;

  RowTable(std::string_view name, std::string_view meaning, std::vector<Column<Row>> columns)
      : info{name, meaning, {}} {
    for (const Column<Row>& column : columns) {
      info.columns.push_back(column.info);
      getters.push_back(column.get);
    }
  }
};

// Rows of some type, behind one face.
class TableData {
 public:
  virtual ~TableData() = default;
  virtual const TableInfo& info() const = 0;
  virtual size_t row_count() const = 0;
  virtual Value Cell(size_t row, size_t column) const = 0;
};

// A table that nothing was found for.
class EmptyTable : public TableData {
 public:
  explicit EmptyTable(const TableInfo& info) : info_(info) {}
  const TableInfo& info() const override { return info_; }
  size_t row_count() const override { return 0; }
  Value Cell(size_t, size_t) const override { return {}; }

 private:
  const TableInfo& info_;
};

// Rows of one type. The type has a static member function `const RowTable<Row>& Table()`.
template <typename Row>
class RowSet : public TableData {
 public:
  RowSet() = default;
  explicit RowSet(std::vector<Row> r) : rows(std::move(r)) {}

  const TableInfo& info() const override { return Row::Table().info; }
  size_t row_count() const override { return rows.size(); }
  Value Cell(size_t row, size_t column) const override {
    return Row::Table().getters[column](rows[row]);
  }

  std::vector<Row> rows;
};

}  // namespace ktstr
