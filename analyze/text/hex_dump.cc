#include "analyze/text/hex_dump.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>

#include "libcore/base/by_page.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

constexpr uint64_t kLine = 16;

// Neighbouring pages of one fate.
struct Range {
  Kva begin;
  uint64_t length = 0;
  std::vector<std::byte> bytes;  // none where there is an error
  std::string error;
};

std::vector<Range> ReadRanges(const GuestKernel& kernel, Kva begin, uint64_t length) {
  std::vector<Range> ranges;
  const auto add_page = [&](Kva at, uint64_t size) -> Status {
    std::vector<std::byte> bytes(size);
    const Status read = kernel.Read(at, bytes);
    const std::string error = read ? "" : read.error().ToString();
    // Of pages that cannot be read each has a reason of its own.
    if (ranges.empty() || !ranges.back().error.empty() || !read) ranges.push_back({at});
    Range& range = ranges.back();
    range.length += size;
    range.error = error;
    if (read) range.bytes.insert(range.bytes.end(), bytes.begin(), bytes.end());
    return {};
  };
  (void)ForEachPage(begin, length, add_page);  // its visitor never fails
  return ranges;
}

std::string ErrorLine(const Range& range) {
  return fmt::format("{:016x}  {} bytes cannot be read: {}\n", range.begin.value(), range.length,
                     SafeText(range.error));
}

// Its name alone, without the distance.
std::string_view NameOf(std::string_view symbol) { return symbol.substr(0, symbol.rfind('+')); }

std::string ByteLine(Kva at, std::span<const std::byte> bytes) {
  std::string digits, characters;
  for (size_t i = 0; i < kLine; ++i) {
    if (i == kLine / 2) digits += ' ';
    if (i >= bytes.size()) {
      digits += "   ";
      continue;
    }
    const auto byte = static_cast<uint8_t>(bytes[i]);
    digits += fmt::format(" {:02x}", byte);
    characters += byte >= ' ' && byte < 0x7f ? static_cast<char>(byte) : '.';
  }
  return fmt::format("{:016x} {}  {}\n", at.value(), digits, characters);
}

using Lines = std::function<Result<std::string>(const Range&)>;

Result<std::string> Dump(MemorySource& memory, Kva begin, uint64_t length, const Lines& lines) {
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  std::string text;
  for (const Range& range : ReadRanges(*kernel, begin, length)) {
    text += range.error.empty() ? KTSTR_TRY(lines(range)) : ErrorLine(range);
  }
  return text;
}

}  // namespace

Result<std::string> HexDump(MemorySource& memory, Kva begin, uint64_t length) {
  std::string last;
  return Dump(memory, begin, length, [&](const Range& range) -> Result<std::string> {
    std::string text;
    for (uint64_t at = 0; at < range.length; at += kLine) {
      const auto symbol = KTSTR_TRY(memory.Symbolize(range.begin + at));
      if (symbol && NameOf(*symbol) != last) {
        text += fmt::format("<{}>\n", SafeText(*symbol));
        last = NameOf(*symbol);
      }
      const uint64_t size = std::min(kLine, range.length - at);
      text += ByteLine(range.begin + at, std::span(range.bytes).subspan(at, size));
    }
    return text;
  });
}

Result<std::string> WordDump(MemorySource& memory, Kva begin, uint64_t length) {
  return Dump(memory, begin, length, [&](const Range& range) -> Result<std::string> {
    std::string text;
    for (uint64_t at = 0; at + sizeof(uint64_t) <= range.length; at += sizeof(uint64_t)) {
      uint64_t word;
      std::memcpy(&word, range.bytes.data() + at, sizeof word);
      const auto symbol = KTSTR_TRY(memory.Symbolize(Kva(word)));
      text += fmt::format("{:016x}  {:016x}{}\n", (range.begin + at).value(), word,
                          symbol ? fmt::format("  <{}>", SafeText(*symbol)) : "");
    }
    return text;
  });
}

Result<std::string> HexDumpJson(MemorySource& memory, Kva begin, uint64_t length) {
  auto ranges = nlohmann::ordered_json::array();
  for (const Range& range : ReadRanges(*KTSTR_TRY(memory.Kernel()), begin, length)) {
    nlohmann::ordered_json object = {{"address", ToText(Hex(range.begin))},
                                     {"length", range.length}};
    const auto symbol = KTSTR_TRY(memory.Symbolize(range.begin));
    object["symbol"] = symbol ? nlohmann::ordered_json(*symbol) : nlohmann::ordered_json();
    if (range.error.empty()) {
      object["bytes"] = fmt::format(
          "{:02x}", fmt::join(std::span(reinterpret_cast<const uint8_t*>(range.bytes.data()),
                                        range.bytes.size()),
                              ""));
    } else {
      object["error"] = range.error;
    }
    ranges.push_back(std::move(object));
  }
  return ranges.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr
