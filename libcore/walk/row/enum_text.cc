#include "libcore/walk/row/enum_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cctype>

namespace ktstr {

namespace {
std::string Shown(std::string_view name, std::string_view prefix) {
  if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  std::string shown(name);
  std::transform(shown.begin(), shown.end(), shown.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return shown;
}
// Enums of flags also have such names, for the numbers that are packed between the flags.
bool DescribesAField(std::string_view name) {
  return name.ends_with("_shift") || name.ends_with("_bits") || name.ends_with("_mask");
}

}  // namespace

EnumText::EnumText(const TypeInfo& types, std::initializer_list<std::string_view> enums,
                   std::string_view prefix,
                   std::initializer_list<std::pair<std::string_view, int64_t>> otherwise) {
  for (const std::string_view name : enums) {
    const auto type = types.FindType(std::string("enum ") + std::string(name));
    if (!type) continue;
    for (const Enumerator& e : types.EnumeratorsOf(*type)) {
      entries_.push_back({Shown(e.name, prefix), e.value});
    }
    if (!entries_.empty()) return;
  }
  for (const auto& [name, value] : otherwise) entries_.push_back({std::string(name), value});
}

std::string EnumText::NameOf(int64_t value) const {
  for (const Entry& entry : entries_) {
    if (entry.value == value) return entry.name;
  }
  return std::to_string(value);
}

std::string EnumText::FlagsOf(uint64_t value, uint64_t mask) const {
  std::string text;
  uint64_t left = value & mask;
  for (const Entry& entry : entries_) {
    // A flag in bit 31 is negative in an enum of 32 bits.
    const bool top_bit = entry.value == INT32_MIN;
    const uint64_t bit = top_bit ? uint64_t{1} << 31 : static_cast<uint64_t>(entry.value);
    if (!std::has_single_bit(bit) || (left & bit) == 0 || DescribesAField(entry.name)) continue;
    text += (text.empty() ? "" : "|") + entry.name;
    left &= ~bit;
  }
  if (left != 0) text += fmt::format("{}{:#x}", text.empty() ? "" : "|", left);
  return text;
}

std::optional<int64_t> EnumText::ValueOf(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return entry.value;
  }
  return std::nullopt;
}

}  // namespace ktstr
