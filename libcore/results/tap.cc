#include "libcore/results/tap.h"

#include <fmt/format.h>

#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

std::string Description(const CaseResult& result) {
  std::string text;
  const std::string name =
      result.group.empty() ? result.name : fmt::format("{}: {}", result.group, result.name);
  for (const char c : SafeText(name)) {
    if (c == '#') text += '\\';
    text += c;
  }
  return text;
}

// A key with a literal block, whatever is in the text.
void AddBlock(std::string_view key, std::string_view text, std::string* tap) {
  if (text.empty()) return;
  *tap += fmt::format("  {}: |\n", key);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    *tap += fmt::format("    {}\n", SafeText(line));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
}

}  // namespace

std::string ToTap(const std::vector<CaseResult>& cases) {
  std::string tap = fmt::format("TAP version 14\n1..{}\n", cases.size());
  for (size_t i = 0; i < cases.size(); ++i) {
    const CaseResult& result = cases[i];
    const bool skipped = result.outcome == CaseResult::Outcome::kSkipped;
    const bool passed = skipped || result.outcome == CaseResult::Outcome::kPassed;
    tap += fmt::format("{} {} - {}{}\n", passed ? "ok" : "not ok", i + 1, Description(result),
                       skipped ? " # SKIP not applicable" : "");
    // One that passed may still have something to say.
    if (skipped || (passed && result.message.empty())) continue;
    tap += "  ---\n";
    AddBlock("type", result.type, &tap);
    AddBlock("message", result.message, &tap);
    AddBlock("output", result.output, &tap);
    tap += "  ...\n";
  }
  return tap;
}

}  // namespace ktstr
