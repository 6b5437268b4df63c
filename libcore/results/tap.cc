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

void TapReport::Add(const CaseResult& result) {
  const bool skipped = result.outcome == CaseResult::Outcome::kSkipped;
  const bool passed = skipped || result.outcome == CaseResult::Outcome::kPassed;
  lines_ += fmt::format("{} {} - {}{}\n", passed ? "ok" : "not ok", ++cases_, Description(result),
                        skipped ? " # SKIP not applicable" : "");
  // One that passed may still have something to say.
  if (skipped || (passed && result.message.empty())) return;
  lines_ += "  ---\n";
  AddBlock("type", result.type, &lines_);
  AddBlock("message", result.message, &lines_);
  AddBlock("output", result.output, &lines_);
  lines_ += "  ...\n";
}

std::string TapReport::Text() const {
  return fmt::format("TAP version 14\n1..{}\n{}", cases_, lines_);
}

std::string ToTap(const std::vector<CaseResult>& cases) {
  TapReport report;
  for (const CaseResult& result : cases) report.Add(result);
  return report.Text();
}

}  // namespace ktstr
