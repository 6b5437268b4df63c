#include "libcore/walk/row/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "libcore/walk/row/asked_members.h"

namespace ktstr {

Fields::Fields(const Walk& walk, Structure structure)
    : types_(&walk.types), anomalies_(&walk.anomalies), structure_(structure) {
  const auto type = types_->FindStruct(structure.name);
  if (type) type_ = *type;
  absent_ = !type && structure.optional;
  if (structure.part.empty()) return;
  const auto part =
      type ? types_->FindMember(*type, structure.part) : tl::unexpected<Error>(type.error());
  absent_ = !part;
  if (!part) return;
  type_ = part->type;
  offset_ = part->offset;
}

MaybeMember Fields::Find(const MemberPaths& paths, bool needed) const {
  AskedMembers::Note(structure_, paths, needed);
  if (absent_) return std::nullopt;
  if (type_) {
    for (const std::string_view path : paths.all()) {
      auto member = types_->FindMember(*type_, path);
      if (!member) continue;
      member->offset += offset_;
      return *member;
    }
  }
  if (!needed) return std::nullopt;
  std::string text;
  for (const std::string_view path : paths.all()) {
    text += fmt::format("{}{}{}{}", text.empty() ? "" : "' or '", structure_.part,
                        structure_.part.empty() ? "" : ".", path);
  }
  anomalies_->Add("no member", std::nullopt,
                  fmt::format("the kernel's struct {} has no member '{}'", structure_.name, text));
  return std::nullopt;
}

void CellReader::Report(const Error& error) {
  if (!failed_) anomalies_.Add(error, object_.base(), fmt::format("reading {}", what_));
  failed_ = true;
}

std::optional<int64_t> CellReader::Integer(const MaybeMember& member) {
  if (!member) return std::nullopt;
  const auto value = object_.Integer(*member);
  if (value) return *value;
  Report(value.error());
  return std::nullopt;
}

std::optional<uint64_t> CellReader::Unsigned(const MaybeMember& member) {
  const auto value = Integer(member);
  return value ? std::optional(static_cast<uint64_t>(*value)) : std::nullopt;
}

std::optional<Kva> CellReader::Pointer(const MaybeMember& member) {
  const auto value = Unsigned(member);
  return value ? std::optional(Kva(*value)) : std::nullopt;
}

std::optional<Hex> CellReader::HexOf(const MaybeMember& member) {
  const auto value = Unsigned(member);
  if (!value) return std::nullopt;
  const uint64_t bits = member->is_bit_field() ? member->bit_size : member->size * 8;
  return Hex(*value & ~uint64_t{0} >> (64 - bits));
}

std::optional<std::string> CellReader::Text(const MaybeMember& member) {
  if (!member) return std::nullopt;
  auto text = object_.Text(*member);
  if (text) return *std::move(text);
  Report(text.error());
  return std::nullopt;
}

}  // namespace ktstr
