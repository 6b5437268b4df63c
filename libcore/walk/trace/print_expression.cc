#include "libcore/walk/trace/print_expression.h"

#include <fmt/format.h>

namespace ktstr {

namespace {

using Node = PrintFormat::Node;
using Kind = Node::Kind;

PrintValue OfText(std::string text) { return {.text = std::move(text)}; }
PrintValue OfNumber(int64_t number) { return {.number = number, .text = {}}; }

// As unsigned integers where one of them is of 8 bytes without a sign; sums and products are the
// same either way.
std::optional<PrintValue> Calculate(char op, const PrintValue& a, const PrintValue& b) {
  if (a.text || b.text) return std::nullopt;
  const auto x = static_cast<uint64_t>(a.number), y = static_cast<uint64_t>(b.number);
  PrintValue value{.is_unsigned = a.is_unsigned || b.is_unsigned, .text = {}};
  const bool is_unsigned = value.is_unsigned;
  const auto truth = [](bool is) { return OfNumber(is ? 1 : 0); };
  const auto result = [&](uint64_t bits) {
    value.number = static_cast<int64_t>(bits);
    return value;
  };
  switch (op) {
    case '|':
      return result(x | y);
    case '^':
      return result(x ^ y);
    case '&':
      return result(x & y);
    case '+':
      return result(x + y);
    case '-':
      return result(x - y);
    case '*':
      return result(x * y);
    case '=':
      return truth(x == y);
    case 'n':
      return truth(x != y);
    case '<':
      return truth(is_unsigned ? x < y : a.number < b.number);
    case '>':
      return truth(is_unsigned ? x > y : a.number > b.number);
    case 'L':
      return truth(is_unsigned ? x <= y : a.number <= b.number);
    case 'G':
      return truth(is_unsigned ? x >= y : a.number >= b.number);
    case 'l':
    case 'r': {
      if (y >= 64) return std::nullopt;
      value.is_unsigned = a.is_unsigned;
      if (op == 'l') return result(x << y);
      return result(a.is_unsigned ? x >> y : static_cast<uint64_t>(a.number >> y));
    }
    case '/':
    case '%': {
      if (y == 0) return std::nullopt;
      if (is_unsigned) return result(op == '/' ? x / y : x % y);
      if (b.number == -1) return op == '/' ? result(0 - x) : result(0);
      return result(static_cast<uint64_t>(op == '/' ? a.number / b.number : a.number % b.number));
    }
    default:
      return std::nullopt;
  }
}

std::optional<PrintValue> EvaluateUnary(char op, const PrintValue& of) {
  if (of.text) return std::nullopt;
  PrintValue value = of;
  const auto bits = static_cast<uint64_t>(of.number);
  if (op == '!') return OfNumber(of.number == 0 ? 1 : 0);
  if (op == '~') value.number = static_cast<int64_t>(~bits);
  if (op == '-') value.number = static_cast<int64_t>(0 - bits);
  return value;
}

std::optional<PrintValue> EvaluateBinary(const Node& node, PrintSource& source) {
  const auto left = Evaluate(*node.parts[0], source);
  if (!left) return std::nullopt;
  if (node.op == 'A' || node.op == 'O') {
    if (left->text) return std::nullopt;
    if ((left->number != 0) == (node.op == 'O')) return OfNumber(node.op == 'O' ? 1 : 0);
    const auto right = Evaluate(*node.parts[1], source);
    if (!right || right->text) return std::nullopt;
    return OfNumber(right->number != 0 ? 1 : 0);
  }
  const auto right = Evaluate(*node.parts[1], source);
  return right ? Calculate(node.op, *left, *right) : std::nullopt;
}

PrintValue Truncated(const Node& cast, PrintValue value) {
  const int unused = 64 - 8 * cast.size;
  const uint64_t bits = static_cast<uint64_t>(value.number) << unused;
  value.number =
      cast.is_signed ? static_cast<int64_t>(bits) >> unused : static_cast<int64_t>(bits >> unused);
  value.is_unsigned = cast.size == 8 && !cast.is_signed;
  return value;
}

// As trace_print_flags_seq does (kernel/trace/trace_output.c).
std::string FlagNames(const Node& node, uint64_t flags) {
  std::string text;
  const auto add = [&](std::string_view name) {
    if (!text.empty()) text += node.text;
    text += name;
  };
  for (const auto& [mask, name] : node.names) {
    if (flags == 0) break;
    if ((flags & mask) != mask) continue;
    add(name);
    flags &= ~mask;
  }
  if (flags != 0) add(fmt::format("{:#x}", flags));
  return text;
}

// As trace_print_symbols_seq does.
std::string SymbolicName(const Node& node, uint64_t value) {
  for (const auto& [number, name] : node.names) {
    if (number == value) return name;
  }
  return fmt::format("{:#x}", value);
}

}  // namespace

std::optional<PrintValue> Evaluate(const Node& node, PrintSource& source) {
  switch (node.kind) {
    case Kind::kNumber:
      return OfNumber(node.number);
    case Kind::kText:
      return OfText(node.text);
    case Kind::kField:
      return source.Field(node.text);
    case Kind::kElement:
      return source.Element(node.text, static_cast<uint64_t>(node.number));
    case Kind::kDynamicText: {
      auto text = source.DynamicText(node.text);
      return text ? std::optional(OfText(*std::move(text))) : std::nullopt;
    }
    case Kind::kBinary:
      return EvaluateBinary(node, source);
    default:
      break;
  }
  auto first = Evaluate(*node.parts[0], source);
  if (!first) return std::nullopt;
  if (node.kind == Kind::kCast) {
    // A text that is cast is a pointer to one, of which nothing is known.
    return first->text ? std::nullopt : std::optional(Truncated(node, *std::move(first)));
  }
  if (first->text) return std::nullopt;
  switch (node.kind) {
    case Kind::kUnary:
      return EvaluateUnary(node.op, *first);
    case Kind::kChoice:
      return Evaluate(*node.parts[first->number != 0 ? 1 : 2], source);
    case Kind::kFlags:
      return OfText(FlagNames(node, static_cast<uint64_t>(first->number)));
    default:
      return OfText(SymbolicName(node, static_cast<uint64_t>(first->number)));
  }
}

}  // namespace ktstr
