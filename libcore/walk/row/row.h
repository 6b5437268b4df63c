// Rows: what walkers yield. A row type is declared once, with name, type, unit and meaning of each
// column; the SQLite tables, JSON, text tables and the schema documentation all come from that.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libcore/base/address.h"
#include "libcore/walk/row/member_paths.h"

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

class CellReader;
struct Member;

// Which member of a kernel object a column is a copy of.
struct MemberSource {
  MemberPaths paths;
  bool needed = true;                   // a kernel that has none of them is told of
  Structure of = {};                    // empty: the table's own structure
  std::optional<int64_t> nothing = {};  // the value with which the kernel says that there is none

  constexpr MemberSource Of(const Structure& structure) const {
    return {paths, needed, structure, nothing};
  }
  constexpr MemberSource Of(std::string_view structure) const { return Of(Structure{structure}); }
  // NULL where the member has that value; 0 for an empty text.
  constexpr MemberSource Unless(int64_t value) const { return {paths, needed, of, value}; }
};
// The first of these paths that exists. A kernel that has none of them is an anomaly.
template <typename... Path>
requires std::constructible_from<MemberPaths, const Path&...>
constexpr MemberSource At(const Path&... paths) { return {.paths = MemberPaths(paths...)}; }
// The same for members that only some kernels have.
template <typename... Path>
requires std::constructible_from<MemberPaths, const Path&...>
constexpr MemberSource MaybeAt(const Path&... paths) {
  return {.paths = MemberPaths(paths...), .needed = false};
}

// Reads the member into its place in the row.
template <typename Row>
using FillFunction = void (*)(CellReader& object, const std::optional<Member>& member,
                              const std::optional<int64_t>& nothing, Row& row);

// A column of a row type: its description, how to get it out of a row, and, where it is a copy of a
// kernel's member (row_reader.h), how it gets there.
template <typename Row>
struct Column {
  ColumnInfo info;
  Value (*get)(const Row&);
  std::optional<MemberSource> source = {};
  FillFunction<Row> fill = nullptr;
};

// What fills a column that is a copy.
template <typename Row>
struct ColumnCopy {
  std::string_view column;
  MemberSource source;
  FillFunction<Row> fill;
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

// A row type's whole declaration. `structure` is the one of which columns are copies that do not
// say of which.
template <typename Row>
struct RowTable {
  TableInfo info;
  std::vector<Value (*)(const Row&)> getters;
  Structure structure;
  std::vector<ColumnCopy<Row>> copies;

  RowTable(std::string_view name, std::string_view meaning, std::vector<Column<Row>> columns)
      : RowTable(name, meaning, Structure{}, std::move(columns)) {}
  RowTable(std::string_view name, std::string_view meaning, const Structure& own,
           std::vector<Column<Row>> columns)
      : info{name, meaning, {}}, structure(own) {
    for (const Column<Row>& column : columns) {
      info.columns.push_back(column.info);
      getters.push_back(column.get);
      if (!column.source) continue;
      const bool of_other = !column.source->of.name.empty();
      copies.push_back(
          {column.info.name, of_other ? *column.source : column.source->Of(own), column.fill});
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
