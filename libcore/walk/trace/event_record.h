// One event's record, read by the format that the kernel has of it.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/row/walk.h"
#include "libcore/walk/trace/event_format.h"

namespace ktstr {

// What the records of all events of a kernel lead to: code and constant texts.
class EventNames {
 public:
  explicit EventNames(const Walk& walk) : walk_(walk), symbols_(walk) {}

  // The name of code, with its place in it (symbol+0x1c/0x80) where that is wanted; hexadecimal for
  // what is no code.
  const std::string& Symbol(uint64_t address, bool with_offset);
  // A text in the kernel's image or a module: others may be others by now.
  std::optional<std::string> Text(uint64_t address);

 private:
  Walk walk_;
  TextSymbols symbols_;
  std::map<std::pair<uint64_t, bool>, std::string> known_;
};

class EventRecord final : public PrintSource {
 public:
  // `code_moved`: what to add to an address of code, in a record of an earlier boot. All must
  // outlive this.
  EventRecord(std::span<const std::byte> bytes, const EventFormat& format, EventNames& names,
              int64_t code_moved)
      : bytes_(bytes), format_(format), names_(names), code_moved_(code_moved) {}

  // An object of all fields: numbers, texts, arrays of numbers, and null for what the record is too
  // short for. Bytes of no known type are strings of hexadecimal digits.
  std::string FieldsJson() const;
  // As the kernel prints it; else name=value of each field.
  std::string Text();

  std::optional<PrintValue> Field(std::string_view name) override;
  std::optional<PrintValue> Element(std::string_view name, uint64_t index) override;
  std::optional<std::string> DynamicText(std::string_view name) override;
  std::optional<std::string> TextAt(uint64_t address) override { return names_.Text(address); }
  std::string Symbol(uint64_t address, bool with_offset) override {
    return names_.Symbol(address + static_cast<uint64_t>(code_moved_), with_offset);
  }

 private:
  // The bytes of a field, wherever in the record they are; nothing where the record ends before.
  std::optional<std::span<const std::byte>> BytesOf(const EventField& field) const;
  std::string ValueJson(const EventField& field) const;
  std::optional<std::string> StackText();

  std::span<const std::byte> bytes_;
  const EventFormat& format_;
  EventNames& names_;
  int64_t code_moved_;
};

}  // namespace ktstr
