#include "analyze/html/page.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <utility>

#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

struct PageFile {
  std::string_view text;
  std::string_view sha256;  // 64 hexadecimal digits
};

constexpr PageFile kHtml =
#include "page_html.inc"
    ;
constexpr PageFile kCss =
#include "page_css.inc"
    ;
constexpr PageFile kJs =
#include "page_js.inc"
    ;

uint32_t HexDigit(char c) { return static_cast<uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10); }

// What a Content-Security-Policy calls a digest: 32 bytes in base64.
std::string Base64OfDigest(std::string_view hex) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : hex) {
    bits = (bits << 4 | HexDigit(c)) & 0xfff;
    count += 4;
    if (count < 6) continue;
    count -= 6;
    text += kAlphabet[bits >> count & 0x3f];
  }
  if (count > 0) text += kAlphabet[bits << (6 - count) & 0x3f];
  return text.append((4 - text.size() % 4) % 4, '=');
}

std::string Policy() {
  return fmt::format(
      "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; "
      "form-action 'none'",
      Base64OfDigest(kCss.sha256), Base64OfDigest(kJs.sha256));
}

// Puts the values where the template says {{name}}; what they hold is not looked at again.
std::string Fill(std::string_view page,
                 const std::array<std::pair<std::string_view, std::string_view>, 5>& values) {
  std::string filled;
  while (!page.empty()) {
    const size_t open = page.find("{{"), close = page.find("}}", open);
    filled += page.substr(0, open);
    if (close == std::string_view::npos) break;
    const std::string_view name = page.substr(open + 2, close - open - 2);
    for (const auto& [key, value] : values) {
      if (key == name) filled += value;
    }
    page.remove_prefix(close + 2);
  }
  return filled;
}

}  // namespace

std::string HtmlPage(std::string_view title, std::string_view json) {
  return Fill(kHtml.text, {{{"policy", Policy()},
                            {"title", HtmlText(title)},
                            {"style", kCss.text},
                            {"script", kJs.text},
                            {"data", JsonInScript(json)}}});
}

std::string HtmlText(std::string_view text) {
  std::string html;
  for (const char c : SafeText(text)) {
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += c;
    }
  }
  return html;
}

std::string JsonInScript(std::string_view json) {
  std::string safe;
  safe.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      safe += "\\u003c";
    } else {
      safe += c;
    }
  }
  return safe;
}

}  // namespace ktstr
