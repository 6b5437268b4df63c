#include "libcore/walk/trace/event_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "libcore/walk/value/value_json.h"

namespace ktstr {

namespace {

// Where the kernel's image and its modules are; what is below is allocated, and may have been freed
// since an event named it.
constexpr uint64_t kImageBegin = 0xffffffff80000000;
constexpr size_t kMostText = 1024;
constexpr size_t kMostSymbols = 100'000;

bool IsDynamic(const EventField& field) { return field.type.starts_with("__data_loc "); }
bool IsRelative(const EventField& field) { return field.type.starts_with("__rel_loc "); }
bool IsArray(const EventField& field) { return field.type.find('[') != std::string::npos; }

// The type of an array's elements: "char" of "__data_loc char[]".
std::string_view ElementType(const EventField& field) {
  std::string_view type = field.type;
  for (const std::string_view prefix : {"__data_loc ", "__rel_loc ", "const "}) {
    if (type.starts_with(prefix)) type.remove_prefix(prefix.size());
  }
  type = type.substr(0, type.find('['));
  while (type.ends_with(' ')) type.remove_suffix(1);
  return type;
}

bool IsText(const EventField& field) { return IsArray(field) && ElementType(field) == "char"; }

// Of an element, in bytes; 0 for what no number is known to be. The common types of the kernel's
// tracepoints, as C writes them.
uint64_t ElementSize(const EventField& field) {
  const std::string_view type = ElementType(field);
  for (const std::string_view long_type :
       {"long", "unsigned long", "u64", "__u64", "s64", "unsigned long long", "uint64_t"}) {
    if (type == long_type) return 8;
  }
  for (const std::string_view int_type :
       {"int", "unsigned int", "u32", "__u32", "s32", "uint32_t", "unsigned"}) {
    if (type == int_type) return 4;
  }
  for (const std::string_view short_type :
       {"short", "unsigned short", "u16", "__u16", "uint16_t"}) {
    if (type == short_type) return 2;
  }
  return 0;
}

int64_t NumberOf(std::span<const std::byte> bytes, bool is_signed) {
  uint64_t raw = 0;
  std::memcpy(&raw, bytes.data(), bytes.size());
  const auto unused = static_cast<int>(64 - 8 * bytes.size());
  raw <<= unused;
  return is_signed ? static_cast<int64_t>(raw) >> unused : static_cast<int64_t>(raw >> unused);
}

bool IsNumber(const EventField& field) {
  return !IsArray(field) &&
         (field.size == 1 || field.size == 2 || field.size == 4 || field.size == 8);
}
bool IsPointer(const EventField& field) { return field.type.ends_with('*'); }

std::string TextOf(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return std::string(text.substr(0, text.find('\0')));
}

std::string NumberJson(int64_t number, const EventField& field) {
  if (IsPointer(field)) return fmt::format("\"{:#018x}\"", static_cast<uint64_t>(number));
  return field.is_signed ? fmt::format("{}", number)
                         : fmt::format("{}", static_cast<uint64_t>(number));
}

}  // namespace

const std::string& EventNames::Symbol(uint64_t address, bool with_offset) {
  if (known_.size() > kMostSymbols) known_.clear();
  auto [known, is_new] = known_.try_emplace({address, with_offset});
  std::string& name = known->second;
  if (!is_new) return name;
  name = fmt::format("{:#x}", address);
  const auto place = symbols_.Find(Kva(address));
  if (!place || place->symbol.empty()) return name;
  name = place->symbol;
  if (with_offset) {
    const uint64_t size = symbols_.SizeOf(*place).value_or(0);
    name += fmt::format("+{:#x}/{:#x}", Kva(address) - place->begin, size);
  }
  if (!place->module.empty()) name += fmt::format(" [{}]", place->module);
  return name;
}

std::optional<std::string> EventNames::Text(uint64_t address) {
  if (address < kImageBegin) return std::nullopt;
  auto text = walk_.kernel.ReadString(Kva(address), kMostText);
  return text ? std::optional(*std::move(text)) : std::nullopt;
}

std::optional<std::span<const std::byte>> EventRecord::BytesOf(const EventField& field) const {
  if (field.offset > bytes_.size()) return std::nullopt;
  const uint64_t left = bytes_.size() - field.offset;
  if (IsDynamic(field) || IsRelative(field)) {
    // A word: the offset below, the length above; from the record's begin or from the word's end.
    uint32_t place;
    if (left < sizeof place) return std::nullopt;
    std::memcpy(&place, bytes_.data() + field.offset, sizeof place);
    uint64_t begin = place & 0xffff;
    if (IsRelative(field)) begin += field.offset + sizeof place;
    const uint64_t length = place >> 16;
    if (begin > bytes_.size() || length > bytes_.size() - begin) return std::nullopt;
    return bytes_.subspan(begin, length);
  }
  if (field.size == 0) return bytes_.subspan(field.offset);
  if (field.size > left) return std::nullopt;
  return bytes_.subspan(field.offset, field.size);
}

std::string EventRecord::ValueJson(const EventField& field) const {
  const auto bytes = BytesOf(field);
  if (!bytes) return "null";
  if (IsText(field)) return TextToJson(TextOf(*bytes));
  if (IsNumber(field)) return NumberJson(NumberOf(*bytes, field.is_signed), field);
  const uint64_t size = IsArray(field) ? ElementSize(field) : 0;
  if (size == 0 || bytes->size() % size != 0) return BytesToJson(*bytes);
  std::string json = "[";
  for (uint64_t at = 0; at < bytes->size(); at += size) {
    if (at != 0) json += ',';
    json += NumberJson(NumberOf(bytes->subspan(at, size), field.is_signed), field);
  }
  return json + ']';
}

std::string EventRecord::FieldsJson() const {
  std::string json = "{";
  for (const EventField& field : format_.fields) {
    if (json.size() > 1) json += ',';
    json += TextToJson(field.name) + ':' + ValueJson(field);
  }
  return json + '}';
}

std::optional<PrintValue> EventRecord::Field(std::string_view name) {
  const EventField* field = format_.Find(name);
  const auto bytes = field == nullptr ? std::nullopt : BytesOf(*field);
  if (!bytes || IsDynamic(*field) || IsRelative(*field)) return std::nullopt;
  if (IsText(*field)) return PrintValue{.text = TextOf(*bytes)};
  if (!IsNumber(*field)) return std::nullopt;
  return PrintValue{.number = NumberOf(*bytes, field->is_signed),
                    .is_unsigned = field->size == 8 && !field->is_signed,
                    .text = {}};
}

std::optional<PrintValue> EventRecord::Element(std::string_view name, uint64_t index) {
  const EventField* field = format_.Find(name);
  const auto bytes = field == nullptr ? std::nullopt : BytesOf(*field);
  if (!bytes || !IsArray(*field)) return std::nullopt;
  const uint64_t size = IsText(*field) ? 1 : ElementSize(*field);
  if (size == 0 || index >= bytes->size() / size) return std::nullopt;
  return PrintValue{.number = NumberOf(bytes->subspan(index * size, size), field->is_signed),
                    .is_unsigned = size == 8 && !field->is_signed,
                    .text = {}};
}

std::optional<std::string> EventRecord::DynamicText(std::string_view name) {
  const EventField* field = format_.Find(name);
  const auto bytes = field == nullptr ? std::nullopt : BytesOf(*field);
  if (!bytes || !IsText(*field)) return std::nullopt;
  return TextOf(*bytes);
}

// The kernel prints its own stacks by code, not by a format.
std::optional<std::string> EventRecord::StackText() {
  if (format_.system != "ftrace" || format_.name != "kernel_stack") return std::nullopt;
  const EventField* callers = format_.Find("caller");
  if (callers == nullptr || callers->offset > bytes_.size()) return std::nullopt;
  std::string text;
  for (uint64_t at = callers->offset; at + 8 <= bytes_.size(); at += 8) {
    const auto address = static_cast<uint64_t>(NumberOf(bytes_.subspan(at, 8), false));
    if (address == 0 || address == UINT64_MAX) break;
    text += (text.empty() ? "" : " <- ") + Symbol(address, false);
  }
  return text;
}

std::string EventRecord::Text() {
  std::optional<std::string> text = StackText();
  if (!text && format_.print != nullptr) text = format_.print->Print(*this);
  if (text) {
    while (text->ends_with('\n')) text->pop_back();
    text->erase(0, std::min(text->find_first_not_of(' '), text->size()));
    return *std::move(text);
  }
  std::string list;
  for (const EventField& field : format_.fields) {
    if (!list.empty()) list += ' ';
    list += field.name + '=';
    const auto bytes = BytesOf(field);
    list += bytes && IsText(field) ? TextOf(*bytes) : ValueJson(field);
  }
  return list;
}

}  // namespace ktstr
