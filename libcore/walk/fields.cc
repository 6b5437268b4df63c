#include "ktstr/walk/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ktstr {

MaybeMember Fields::Maybe(std::initializer_list<std::string_view> paths) {
  for (const std::string_view path : paths) {
    auto member = types_.FindMember(struct_name_, path);
    if (member) return *member;
  }
  return std::nullopt;
}

MaybeMember Fields::Need(std::initializer_list<std::string_view> paths) {
  MaybeMember member = Maybe(paths);
  if (!member) {
    anomalies_.Add("no member", std::nullopt,
                   fmt::format("the kernel's struct {} has no member '{}'", struct_name_,
                               fmt::join(paths, "' or '")));
  }
  return member;
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
  return value ? std::optional(Hex(*value)) : std::nullopt;
}

std::optional<std::string> CellReader::Text(const MaybeMember& member) {
  if (!member) return std::nullopt;
  auto text = object_.Text(*member);
  if (text) return *std::move(text);
  Report(text.error());
  return std::nullopt;
}

}  // namespace ktstr
