#include <cctype>
#include <charconv>

#include "libcore/walk/trace/print_expression.h"

namespace ktstr {

// By descent: an expression of C is a choice (a ? b : c) of chains of operators, weaker ones
// outside, of casts and signs, of numbers, fields and calls. How deep and how long one can be is
// bounded, since a guest can keep any text here.

namespace {

using Node = PrintFormat::Node;
using Kind = Node::Kind;

constexpr int kMostNodes = 1024, kMostDepth = 100;

struct Operator {
  std::string_view token;
  char op;
  int precedence;
};
// Longer ones before those that they begin with.
constexpr Operator kOperators[] = {
    {"||", 'O', 0}, {"&&", 'A', 1}, {"==", '=', 5}, {"!=", 'n', 5}, {"<<", 'l', 7}, {">>", 'r', 7},
    {"<=", 'L', 6}, {">=", 'G', 6}, {"|", '|', 2},  {"^", '^', 3},  {"&", '&', 4},  {"<", '<', 6},
    {">", '>', 6},  {"+", '+', 8},  {"-", '-', 8},  {"*", '*', 9},  {"/", '/', 9},  {"%", '%', 9}};
constexpr int kStrongest = 9;

struct CastType {
  std::string_view name;
  uint8_t size;
  bool is_signed;
};
constexpr CastType kCastTypes[] = {{"u8", 1, false},
                                   {"__u8", 1, false},
                                   {"unsigned char", 1, false},
                                   {"char", 1, true},
                                   {"u16", 2, false},
                                   {"__u16", 2, false},
                                   {"unsigned short", 2, false},
                                   {"short", 2, true},
                                   {"u32", 4, false},
                                   {"__u32", 4, false},
                                   {"unsigned", 4, false},
                                   {"unsigned int", 4, false},
                                   {"int", 4, true},
                                   {"s32", 4, true},
                                   {"gfp_t", 4, false},
                                   {"dev_t", 4, false},
                                   {"u64", 8, false},
                                   {"__u64", 8, false},
                                   {"unsigned long", 8, false},
                                   {"unsigned long long", 8, false},
                                   {"long long unsigned int", 8, false},
                                   {"long unsigned int", 8, false},
                                   {"long", 8, true},
                                   {"long long", 8, true},
                                   {"s64", 8, true},
                                   {"long int", 8, true},
                                   {"size_t", 8, false},
                                   {"void *", 8, false},
                                   {"sector_t", 8, false}};

bool IsWord(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

}  // namespace

void PrintParser::SkipSpace() {
  while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])) != 0) {
    rest_.remove_prefix(1);
  }
}

bool PrintParser::at_end() {
  SkipSpace();
  return rest_.empty();
}

bool PrintParser::Take(std::string_view token) {
  SkipSpace();
  if (!rest_.starts_with(token)) return false;
  rest_.remove_prefix(token.size());
  return true;
}

std::string_view PrintParser::Word() {
  SkipSpace();
  size_t length = 0;
  while (length < rest_.size() && IsWord(rest_[length])) ++length;
  const std::string_view word = rest_.substr(0, length);
  rest_.remove_prefix(length);
  return word;
}

std::optional<int64_t> PrintParser::Number() {
  std::string_view word = Word();
  while (!word.empty() &&
         (word.back() == 'U' || word.back() == 'L' || word.back() == 'u' || word.back() == 'l')) {
    word.remove_suffix(1);
  }
  int base = 10;
  if (word.starts_with("0x") || word.starts_with("0X")) {
    word.remove_prefix(2);
    base = 16;
  } else if (word.size() > 1 && word[0] == '0') {
    base = 8;
  }
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value, base);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return static_cast<int64_t>(value);
}

std::optional<std::string> PrintParser::Strings() {
  std::optional<std::string> text;
  while (Take("\"")) {
    if (!text) text.emplace();
    for (;;) {
      if (rest_.empty()) return std::nullopt;
      char c = rest_[0];
      rest_.remove_prefix(1);
      if (c == '"') break;
      if (c == '\\') {
        if (rest_.empty()) return std::nullopt;
        c = rest_[0];
        rest_.remove_prefix(1);
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
      }
      *text += c;
    }
  }
  return text;
}

PrintNode PrintParser::New(Node node) {
  for (const PrintNode& part : node.parts) {
    if (part == nullptr) return nullptr;
    node.depth = std::max(node.depth, part->depth + 1);
  }
  if (++nodes_ > kMostNodes || node.depth > kMostDepth) return nullptr;
  return std::make_unique<Node>(std::move(node));
}

PrintNode PrintParser::Choice() {
  if (depth_ > kMostDepth) return nullptr;
  ++depth_;
  PrintNode condition = Binary(0);
  if (condition != nullptr && Take("?")) {
    Node choice{.kind = Kind::kChoice, .text = {}, .parts = {}, .names = {}};
    choice.parts.push_back(std::move(condition));
    choice.parts.push_back(Choice());
    if (!Take(":")) return nullptr;
    choice.parts.push_back(Choice());
    condition = New(std::move(choice));
  }
  --depth_;
  return condition;
}

PrintNode PrintParser::Binary(int precedence) {
  if (precedence > kStrongest) return Unary();
  PrintNode left = Binary(precedence + 1);
  while (left != nullptr) {
    SkipSpace();
    const Operator* found = nullptr;
    for (const Operator& candidate : kOperators) {
      if (rest_.starts_with(candidate.token)) {
        found = &candidate;
        break;
      }
    }
    if (found == nullptr || found->precedence != precedence) break;
    rest_.remove_prefix(found->token.size());
    Node node{.kind = Kind::kBinary, .op = found->op, .text = {}, .parts = {}, .names = {}};
    node.parts.push_back(std::move(left));
    node.parts.push_back(Binary(precedence + 1));
    left = New(std::move(node));
  }
  return left;
}

PrintNode PrintParser::Unary() {
  if (depth_ > kMostDepth) return nullptr;
  SkipSpace();
  for (const char op : {'!', '~', '-', '+'}) {
    if (!rest_.starts_with(op)) continue;
    rest_.remove_prefix(1);
    ++depth_;
    Node node{.kind = Kind::kUnary, .op = op, .text = {}, .parts = {}, .names = {}};
    node.parts.push_back(Unary());
    --depth_;
    return New(std::move(node));
  }
  if (PrintNode cast = Cast()) return cast;
  return Primary();
}

// "(u32)x": words and stars in parentheses. Null, and nothing taken, where there is no cast.
PrintNode PrintParser::Cast() {
  if (!rest_.starts_with('(')) return nullptr;
  const size_t end = rest_.find(')');
  if (end == std::string_view::npos) return nullptr;
  std::string name;
  for (const char c : rest_.substr(1, end - 1)) {
    if (!IsWord(c) && c != ' ' && c != '*') return nullptr;
    name += c;
  }
  for (const CastType& type : kCastTypes) {
    if (type.name != name) continue;
    rest_.remove_prefix(end + 1);
    ++depth_;
    Node node{.kind = Kind::kCast,
              .size = type.size,
              .is_signed = type.is_signed,
              .text = {},
              .parts = {},
              .names = {}};
    node.parts.push_back(Unary());
    --depth_;
    return New(std::move(node));
  }
  return nullptr;
}

PrintNode PrintParser::Primary() {
  SkipSpace();
  if (rest_.empty()) return nullptr;
  if (Take("(")) {
    PrintNode inner = Choice();
    return Take(")") ? std::move(inner) : nullptr;
  }
  if (rest_[0] == '"') {
    auto text = Strings();
    if (!text) return nullptr;
    return New({.kind = Kind::kText, .text = *std::move(text), .parts = {}, .names = {}});
  }
  if (std::isdigit(static_cast<unsigned char>(rest_[0])) != 0) {
    const auto number = Number();
    if (!number) return nullptr;
    return New({.kind = Kind::kNumber, .number = *number, .text = {}, .parts = {}, .names = {}});
  }
  const std::string_view word = Word();
  if (word == "REC") return Record();
  SkipSpace();
  if (rest_.starts_with('(')) return Call(word);
  const auto constant = constants_ == nullptr ? std::nullopt : constants_->ValueOf(word);
  if (word.empty() || !constant) return nullptr;
  return New({.kind = Kind::kNumber, .number = *constant, .text = {}, .parts = {}, .names = {}});
}

// "->name" or "->name[3]", behind REC.
PrintNode PrintParser::Record() {
  if (!Take("->")) return nullptr;
  const std::string name(Word());
  if (name.empty()) return nullptr;
  if (Take("[")) {
    const auto index = Number();
    if (!index || !Take("]")) return nullptr;
    return New({.kind = Kind::kElement, .number = *index, .text = name, .parts = {}, .names = {}});
  }
  SkipSpace();
  // Members of structures.
  if (rest_.starts_with('.') || rest_.starts_with("->")) return nullptr;
  return New({.kind = Kind::kField, .text = name, .parts = {}, .names = {}});
}

PrintNode PrintParser::Call(std::string_view function) {
  if (!Take("(")) return nullptr;
  if (function == "__get_str" || function == "__get_rel_str") {
    const std::string name(Word());
    if (name.empty() || !Take(")")) return nullptr;
    return New({.kind = Kind::kDynamicText, .text = name, .parts = {}, .names = {}});
  }
  const bool is_flags = function == "__print_flags";
  if (!is_flags && function != "__print_symbolic") return nullptr;
  Node node{
      .kind = is_flags ? Kind::kFlags : Kind::kSymbolic, .text = {}, .parts = {}, .names = {}};
  node.parts.push_back(Choice());
  if (node.parts[0] == nullptr) return nullptr;
  if (is_flags) {
    if (!Take(",")) return nullptr;
    auto delimiter = Strings();
    if (!delimiter) return nullptr;
    node.text = *std::move(delimiter);
  }
  if (!Names(node) || !Take(")")) return nullptr;
  return New(std::move(node));
}

// ", {1, "S"}, {2, "D"}": each a constant and its name.
bool PrintParser::Names(Node& node) {
  class NoFields final : public PrintSource {
   public:
    std::optional<PrintValue> Field(std::string_view) override { return std::nullopt; }
    std::optional<PrintValue> Element(std::string_view, uint64_t) override { return std::nullopt; }
    std::optional<std::string> DynamicText(std::string_view) override { return std::nullopt; }
    std::optional<std::string> TextAt(uint64_t) override { return std::nullopt; }
    std::string Symbol(uint64_t, bool) override { return ""; }
  } none;
  while (Take(",")) {
    if (!Take("{")) return false;
    const PrintNode value = Choice();
    if (value == nullptr || !Take(",")) return false;
    const auto number = Evaluate(*value, none);
    auto name = Strings();
    if (!number || number->text || !name || !Take("}")) return false;
    node.names.emplace_back(static_cast<uint64_t>(number->number), *std::move(name));
  }
  return true;
}

}  // namespace ktstr
