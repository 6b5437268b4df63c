// The print_fmt of a trace event: a format of printf, and C expressions over the event's fields,
// which the kernel keeps as text for programs such as trace-cmd.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ktstr {

// What an expression gives: a number, or a text.
struct PrintValue {
  int64_t number = 0;
  bool is_unsigned = false;  // of 8 bytes without a sign
  std::optional<std::string> text;
};

// What a format is printed of: one event.
class PrintSource {
 public:
  virtual ~PrintSource() = default;
  // REC->name. Nothing where there is no such field, or it is neither number nor text.
  virtual std::optional<PrintValue> Field(std::string_view name) = 0;
  // REC->name[index], a number. Nothing where there is no such element.
  virtual std::optional<PrintValue> Element(std::string_view name, uint64_t index) = 0;
  // __get_str(name) and __get_rel_str(name): text of a length of its own.
  virtual std::optional<std::string> DynamicText(std::string_view name) = 0;
  // The text that stands in the kernel's memory; nothing where it may have changed since.
  virtual std::optional<std::string> TextAt(uint64_t address) = 0;
  // %ps (symbol) and %pS (symbol+0x…/0x…).
  virtual std::string Symbol(uint64_t address, bool with_offset) = 0;
};

// What names stand for that the kernel has left in the text: enumerators.
class PrintConstants {
 public:
  virtual ~PrintConstants() = default;
  virtual std::optional<int64_t> ValueOf(std::string_view name) const = 0;
};

class PrintFormat {
 public:
  // Null for what is beyond it: functions other than __print_flags, __print_symbolic, __get_str and
  // __get_rel_str; conversions other than those of numbers, characters, texts and symbols;
  // arithmetic on pointers; expressions of more than a thousand parts. `constants` may be null.
  static std::unique_ptr<const PrintFormat> Parse(std::string_view print_fmt,
                                                  const PrintConstants* constants = nullptr);
  ~PrintFormat();

  // As the kernel prints it, but that a pointer (%p) is shown as it is. Nothing where a field is
  // not there, or not what the format takes it for.
  std::optional<std::string> Print(PrintSource& source) const;

  struct Node;
  struct Conversion;

 private:
  PrintFormat();

  std::vector<Conversion> conversions_;
};

}  // namespace ktstr
