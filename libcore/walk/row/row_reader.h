// Columns that are copies: each says in its own declaration which member of a kernel object it has
// its value from, and a reader made of the table fills them.
//
//   ReadCol<&TaskRow::nvcsw>("nvcsw", "", "Voluntary context switches.", At("nvcsw"))
//
// How a member is read follows from the kernel's types (width, sign, bit field) and from what the
// row has for it: a number, a Hex (the bits as they are), or text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/walk/row/columns_wanted.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

namespace internal {

inline void FillCell(CellReader& object, const MaybeMember& member,
                     const std::optional<int64_t>& nothing, std::optional<int64_t>& cell) {
  cell = object.Integer(member);
  if (nothing && cell == *nothing) cell.reset();
}
inline void FillCell(CellReader& object, const MaybeMember& member,
                     const std::optional<int64_t>& nothing, std::optional<Hex>& cell) {
  cell = object.HexOf(member);
  if (nothing && cell && cell->value == static_cast<uint64_t>(*nothing)) cell.reset();
}
// Of a text every value that stands for nothing is the empty one.
inline void FillCell(CellReader& object, const MaybeMember& member,
                     const std::optional<int64_t>& nothing, std::optional<std::string>& cell) {
  cell = object.Text(member);
  if (nothing && cell && cell->empty()) cell.reset();
}

}  // namespace internal

// Col for a column that is a copy.
template <auto kMember>
auto ReadCol(std::string_view name, std::string_view unit, std::string_view meaning,
             const MemberSource& source) {
  auto column = Col<kMember>(name, unit, meaning);
  using Row = typename internal::MemberPointer<decltype(kMember)>::Row;
  column.source = source;
  column.fill = [](CellReader& object, const MaybeMember& member,
                   const std::optional<int64_t>& nothing,
                   Row& row) { internal::FillCell(object, member, nothing, row.*kMember); };
  return column;
}

// Sub for a column that is a copy.
template <auto kPart, auto kMember>
auto ReadSub(std::string_view name, std::string_view unit, std::string_view meaning,
             const MemberSource& source) {
  auto column = Sub<kPart, kMember>(name, unit, meaning);
  using Row = typename internal::MemberPointer<decltype(kPart)>::Row;
  column.source = source;
  column.fill = [](CellReader& object, const MaybeMember& member,
                   const std::optional<int64_t>& nothing, Row& row) {
    internal::FillCell(object, member, nothing, (row.*kPart).*kMember);
  };
  return column;
}

// Fills the columns of a row that are copies of one structure's members.
template <typename Row>
class RowReader {
 public:
  // Of the table's own structure.
  explicit RowReader(const Walk& walk, const ColumnsWanted& wanted = {})
      : RowReader(walk, Row::Table().structure.name, wanted) {}
  // Of the structure of that name. Members are found now: a needed one that the kernel does not
  // have is an anomaly, and its column stays unknown as that of every other one.
  RowReader(const Walk& walk, std::string_view structure, const ColumnsWanted& wanted = {}) {
    std::vector<std::pair<Structure, Fields>> parts;
    for (const ColumnCopy<Row>& copy : Row::Table().copies) {
      const Structure& of = copy.source.of;
      if (of.name != structure || !wanted.Contains(copy.column)) continue;
      auto part = parts.begin();
      while (part != parts.end() && part->first != of) ++part;
      if (part == parts.end()) part = parts.insert(part, {of, Fields(walk, of)});
      const auto member = part->second.Find(copy.source.paths, copy.source.needed);
      if (member) cells_.push_back({copy.fill, member, copy.source.nothing});
    }
  }

  // `object` is at the begin of the structure. Columns of other origin are left as they are.
  void Read(CellReader& object, Row& row) const {
    for (const Cell& cell : cells_) cell.fill(object, cell.member, cell.nothing, row);
  }

 private:
  struct Cell {
    FillFunction<Row> fill;
    MaybeMember member;  // always there
    std::optional<int64_t> nothing;
  };
  std::vector<Cell> cells_;
};

}  // namespace ktstr
