#include "capture/qemu/memory_tree.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace ktstr {

namespace {

// The pieces of a line such as
//   "  0000000000100000-000000001fffffff (prio 0, ram): ram @0000000000100000 KVM".
class LineScanner {
 public:
  explicit LineScanner(std::string_view line) : rest_(line) {}

  bool Skip(std::string_view text) {
    if (!rest_.starts_with(text)) return false;
    rest_.remove_prefix(text.size());
    return true;
  }

  std::optional<uint64_t> Hex() {
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value, 16);
    if (error != std::errc()) return std::nullopt;
    rest_.remove_prefix(end - rest_.data());
    return value;
  }

  // Everything up to `stop`, which is skipped too.
  std::optional<std::string_view> Until(std::string_view stop) {
    const size_t at = rest_.find(stop);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view text = rest_.substr(0, at);
    rest_.remove_prefix(at + stop.size());
    return text;
  }

  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
};

std::optional<MemoryTreeRange> ParseRange(std::string_view line) {
  LineScanner scan(line);
  MemoryTreeRange range;
  if (!scan.Skip("  ")) return std::nullopt;
  const auto first = scan.Hex();
  if (!first || !scan.Skip("-")) return std::nullopt;
  const auto last = scan.Hex();
  if (!last || *last < *first || !scan.Skip(" (prio ") || !scan.Until(", ")) return std::nullopt;
  const auto kind = scan.Until("): ");
  if (!kind) return std::nullopt;
  range.begin = Pa(*first);
  range.size = *last - *first + 1;
  range.kind = *kind;
  std::string_view name = scan.rest();
  if (const size_t at = name.rfind(" @"); at != std::string_view::npos) {
    LineScanner offset(name.substr(at + 2));
    const auto value = offset.Hex();
    if (!value) return std::nullopt;
    range.offset = *value;
    name = name.substr(0, at);
  } else if (name.ends_with(" KVM")) {
    name.remove_suffix(4);
  }
  range.region = name;
  return range;
}

}  // namespace

Result<std::vector<MemoryTreeRange>> ParseMemoryTree(std::string_view text) {
  std::vector<MemoryTreeRange> ranges;
  bool ours = false;  // within the flat view that serves the address space "memory"
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.starts_with("FlatView")) {
      if (!ranges.empty()) break;
      ours = false;
    } else if (line.starts_with(" AS \"memory\",")) {
      ours = true;
    } else if (ours && line.starts_with("  ") && !line.starts_with("  No ")) {
      auto range = ParseRange(line);
      const bool ascending =
          range && (ranges.empty() || range->begin >= ranges.back().begin + ranges.back().size);
      if (!ascending) {
        return Fail(ErrorCode::kPeer,
                    fmt::format("QEMU describes its memory with the line '{}'", line));
      }
      ranges.push_back(*std::move(range));
    }
  }
  if (ranges.empty()) {
    return Fail(ErrorCode::kPeer, "QEMU's description of its memory has no address space 'memory'");
  }
  return ranges;
}

}  // namespace ktstr
