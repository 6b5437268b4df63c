// The expressions in a trace event's print_fmt: how they are read, and what they give.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/walk/trace/print_format.h"

namespace ktstr {

struct PrintFormat::Node {
  enum class Kind : uint8_t {
    kNumber,
    kText,
    kField,        // text: its name
    kElement,      // text: the name of the array, number: the index
    kDynamicText,  // text: its name
    kUnary,        // op
    kBinary,       // op
    kChoice,       // three of `parts`
    kCast,         // size, is_signed
    kFlags,        // parts[0], delimiter: text, names
    kSymbolic,     // parts[0], names
  };
  Kind kind = Kind::kNumber;
  int depth = 1;
  char op = 0;  // as in C; l: <<, r: >>, L: <=, G: >=, =: ==, n: !=, A: &&, O: ||
  int64_t number = 0;
  uint8_t size = 8;
  bool is_signed = true;
  std::string text;
  std::vector<std::unique_ptr<Node>> parts;
  std::vector<std::pair<uint64_t, std::string>> names;
};

using PrintNode = std::unique_ptr<PrintFormat::Node>;

// Reads C, from left to right. Functions give nothing (null) for what they do not know.
class PrintParser {
 public:
  PrintParser(std::string_view text, const PrintConstants* constants)
      : rest_(text), constants_(constants) {}

  // Strings in quotes, one behind another, with their escapes undone.
  std::optional<std::string> Strings();
  PrintNode Expression() { return Choice(); }
  // Whether that comes next; then it is taken.
  bool Take(std::string_view token);
  bool at_end();

 private:
  void SkipSpace();
  std::string_view Word();
  std::optional<int64_t> Number();
  PrintNode New(PrintFormat::Node node);
  PrintNode Choice();
  PrintNode Binary(int precedence);
  PrintNode Unary();
  PrintNode Cast();
  PrintNode Primary();
  PrintNode Call(std::string_view function);
  bool Names(PrintFormat::Node& node);

  PrintNode Record();

  std::string_view rest_;
  const PrintConstants* constants_;  // may be null
  int nodes_ = 0, depth_ = 0;
};

// Nothing where a field is not there, or a text is taken for a number.
std::optional<PrintValue> Evaluate(const PrintFormat::Node& node, PrintSource& source);

}  // namespace ktstr
