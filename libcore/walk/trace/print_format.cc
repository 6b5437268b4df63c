#include "libcore/walk/trace/print_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/walk/trace/print_expression.h"

namespace ktstr {

namespace {

constexpr int kMostWidth = 256;

}  // namespace

// A piece of the format: text, then (but for the last piece) a conversion and what it shows.
struct PrintFormat::Conversion {
  std::string before;
  char kind = 0;     // d, u, x, X, o, c, s, p; f and F: symbols without and with an offset; 0: none
  uint8_t size = 4;  // of a number, in bytes
  bool left = false, zero = false, plus = false, alternate = false;
  int width = 0, precision = -1;
  std::unique_ptr<Node> value;
};

namespace {

using Conversion = PrintFormat::Conversion;

// What stands between % and the value; false for what nobody knows here.
bool ParseConversion(std::string_view& rest, Conversion& conversion) {
  const auto take = [&](char c) {
    if (!rest.starts_with(c)) return false;
    rest.remove_prefix(1);
    return true;
  };
  const auto number = [&](int& value) {
    for (value = 0; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1)) {
      value = std::min(value * 10 + (rest[0] - '0'), kMostWidth);
    }
  };
  for (;;) {
    if (take('-')) {
      conversion.left = true;
    } else if (take('0')) {
      conversion.zero = true;
    } else if (take('#')) {
      conversion.alternate = true;
    } else if (take('+')) {
      conversion.plus = true;
    } else if (!take(' ')) {
      break;
    }
  }
  number(conversion.width);
  if (take('.')) number(conversion.precision);
  if (take('l')) {
    conversion.size = 8;
    take('l');
  } else if (take('z')) {
    conversion.size = 8;
  } else if (take('h')) {
    conversion.size = take('h') ? 1 : 2;
  }
  if (rest.empty()) return false;
  conversion.kind = rest[0];
  rest.remove_prefix(1);
  if (conversion.kind == 'i') conversion.kind = 'd';
  if (conversion.kind != 'p')
    return std::string_view("duxXocs").find(conversion.kind) != std::string_view::npos;
  conversion.size = 8;
  if (rest.empty() || std::isalnum(static_cast<unsigned char>(rest[0])) == 0) return true;
  const char extension = rest[0];
  rest.remove_prefix(1);
  if (extension == 's' || extension == 'f') conversion.kind = 'f';
  if (extension == 'S' || extension == 'F') conversion.kind = 'F';
  // %px shows it as it is, %pK as well where one may.
  return conversion.kind != 'p' || extension == 'x' || extension == 'K';
}

std::string Padded(const Conversion& conversion, std::string text) {
  const auto width = static_cast<size_t>(conversion.width);
  if (text.size() < width) text.insert(conversion.left ? text.size() : 0, width - text.size(), ' ');
  return text;
}

std::string NumberText(const Conversion& conversion, int64_t number) {
  const int unused = 64 - 8 * conversion.size;
  const uint64_t bits = static_cast<uint64_t>(number) << unused;
  std::string sign, digits;
  if (conversion.kind == 'd') {
    const int64_t value = static_cast<int64_t>(bits) >> unused;
    if (value < 0) sign = "-";
    if (value >= 0 && conversion.plus) sign = "+";
    const auto magnitude = static_cast<uint64_t>(value);
    digits = fmt::format("{}", value < 0 ? 0 - magnitude : magnitude);
  } else {
    const uint64_t value = bits >> unused;
    switch (conversion.kind) {
      case 'x':
        digits = fmt::format("{:x}", value);
        break;
      case 'X':
        digits = fmt::format("{:X}", value);
        break;
      case 'o':
        digits = fmt::format("{:o}", value);
        break;
      default:
        digits = fmt::format("{}", value);
    }
    if (conversion.alternate && conversion.kind == 'o') sign = "0";
    // The kernel's vsnprintf writes 0x0, where C has 0.
    if (conversion.alternate && conversion.kind == 'x') sign = "0x";
    if (conversion.alternate && conversion.kind == 'X') sign = "0X";
  }
  if (conversion.precision > static_cast<int>(digits.size())) {
    digits.insert(0, static_cast<size_t>(conversion.precision) - digits.size(), '0');
  } else if (conversion.zero && !conversion.left && conversion.precision < 0) {
    const size_t length = sign.size() + digits.size(),
                 width = static_cast<size_t>(conversion.width);
    if (length < width) digits.insert(0, width - length, '0');
  }
  return Padded(conversion, sign + digits);
}

std::optional<std::string> Converted(const Conversion& conversion, const PrintValue& value,
                                     PrintSource& source) {
  if (conversion.kind == 's') {
    auto text = value.text ? value.text : source.TextAt(static_cast<uint64_t>(value.number));
    if (!text) return std::nullopt;
    if (conversion.precision >= 0)
      text->resize(std::min<size_t>(text->size(), conversion.precision));
    return Padded(conversion, *std::move(text));
  }
  if (value.text) return std::nullopt;
  const auto bits = static_cast<uint64_t>(value.number);
  switch (conversion.kind) {
    case 'c':
      return Padded(conversion, std::string(1, static_cast<char>(bits)));
    case 'p':
      return Padded(conversion, fmt::format("{:016x}", bits));
    case 'f':
    case 'F':
      return Padded(conversion, source.Symbol(bits, conversion.kind == 'F'));
    default:
      return NumberText(conversion, value.number);
  }
}

}  // namespace

PrintFormat::PrintFormat() = default;
PrintFormat::~PrintFormat() = default;

std::unique_ptr<const PrintFormat> PrintFormat::Parse(std::string_view print_fmt,
                                                      const PrintConstants* constants) {
  PrintParser parser(print_fmt, constants);
  const auto text = parser.Strings();
  if (!text) return nullptr;
  std::unique_ptr<PrintFormat> format(new PrintFormat());
  std::string_view rest = *text;
  Conversion piece;
  while (!rest.empty()) {
    if (rest[0] != '%' || rest.starts_with("%%")) {
      piece.before += rest[0];
      rest.remove_prefix(rest[0] == '%' ? 2 : 1);
      continue;
    }
    rest.remove_prefix(1);
    if (!ParseConversion(rest, piece) || !parser.Take(",")) return nullptr;
    piece.value = parser.Expression();
    if (piece.value == nullptr) return nullptr;
    format->conversions_.push_back(std::move(piece));
    piece = Conversion();
  }
  if (!parser.at_end()) return nullptr;
  format->conversions_.push_back(std::move(piece));
  return format;
}

std::optional<std::string> PrintFormat::Print(PrintSource& source) const {
  std::string text;
  for (const Conversion& conversion : conversions_) {
    text += conversion.before;
    if (conversion.kind == 0) continue;
    const auto value = Evaluate(*conversion.value, source);
    if (!value) return std::nullopt;
    const auto converted = Converted(conversion, *value, source);
    if (!converted) return std::nullopt;
    text += *converted;
  }
  return text;
}

}  // namespace ktstr
