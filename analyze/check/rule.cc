#include "analyze/check/rule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "analyze/check/finding_rule.h"
#include "libcore/base/nearest_word.h"
#include "libcore/base/text_file.h"
#include "libcore/toml/toml_table.h"

namespace ktstr {

namespace {

constexpr std::array<std::string_view, 3> kSeverities = {"error", "warning", "info"};
constexpr std::array<std::string_view, 2> kWanted = {"none", "some"};

constexpr std::string_view kBuiltIn =
#include "scheduler_rules.inc"
    ;

// What the findings that the rule is about say of it; `seen` are those that rules before it name.
// Nothing where it names one that is not there, or none.
std::optional<Rule> ReadFindings(TomlTable& table, std::vector<std::string>* seen) {
  Rule rule;
  std::vector<std::string> findings;
  table.Read("findings", &findings);
  if (std::ranges::find(findings, kOtherFindings) != findings.end()) {
    rule.sql = OtherFindingsQuery(*seen);
    return rule;
  }
  bool all_known = true;
  for (const std::string& finding : findings) {
    auto known = RuleOfFinding(finding);
    if (!known) {
      table.Complain("findings", known.error().message());
      all_known = false;
      continue;
    }
    if (findings.size() == 1) rule = *std::move(known);
    seen->push_back(finding);
  }
  if (findings.size() > 1) rule.sql = FindingsQuery(findings);
  if (findings.empty()) table.Complain("findings", "'findings' names none");
  return all_known && !findings.empty() ? std::optional(rule) : std::nullopt;
}

// Blanks say nothing either.
bool SaysSomething(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") != std::string::npos;
}

// Complains of a key that is not there, or says nothing.
void RequireText(TomlTable& table, std::string_view key, const std::string& text) {
  if (!table.Has(key)) {
    table.Require(key);
  } else if (!SaysSomething(text)) {
    table.Complain(key, fmt::format("'{}' says nothing", key));
  }
}

Rule ReadRule(TomlTable table, const std::string& file, std::set<std::string>* names,
              std::vector<std::string>* findings) {
  Rule rule;
  const bool of_findings = table.Has("findings");
  // Whether findings are named that are there: else what they would say is no mistake of its own.
  bool known = true;
  if (of_findings) {
    auto found = ReadFindings(table, findings);
    known = found.has_value();
    if (found) rule = *std::move(found);
    if (table.Has("sql")) table.Complain("sql", "a rule has 'findings' or 'sql', not both");
    if (table.Has("rows")) table.Complain("rows", "'rows' is for rules that have 'sql'");
  }
  const bool names_itself = !rule.name.empty(), explains_itself = !rule.message.empty();
  table.Read("name", &rule.name);
  auto severity = size_t(rule.severity);
  size_t wanted = 0;
  table.ReadWord("severity", kSeverities, &severity);
  rule.severity = Severity(severity);
  table.Read("message", &rule.message);
  table.Read("when", &rule.when);
  table.ReadWord("rows", kWanted, &wanted);
  rule.wants_rows = wanted == 1;
  table.Read("still", &rule.still);
  table.Read("sql", &rule.sql);
  if (!of_findings) RequireText(table, "sql", rule.sql);
  if (known && (!names_itself || table.Has("name"))) RequireText(table, "name", rule.name);
  if (known && (!explains_itself || table.Has("message"))) {
    RequireText(table, "message", rule.message);
  }
  rule.place = fmt::format("{}:{}", file, table.LineOf(of_findings ? "findings" : "sql"));
  if (SaysSomething(rule.name) && !names->insert(rule.name).second) {
    table.Complain("name", fmt::format("another rule is called '{}' too", rule.name));
  }
  table.Finish();
  return rule;
}

}  // namespace

std::string_view SeverityName(Severity severity) { return kSeverities[size_t(severity)]; }

Result<Severity> ParseSeverity(std::string_view name) {
  const auto found = std::ranges::find(kSeverities, name);
  if (found == kSeverities.end()) {
    return Fail(ErrorCode::kInvalidArgument, UnknownWord("severity", name, kSeverities));
  }
  return Severity(found - kSeverities.begin());
}

Result<std::vector<Rule>> ParseRules(std::string_view text, const std::string& name) {
  const toml::table parsed = KTSTR_TRY(ParseToml(text, name));
  TomlProblem problem(name);
  TomlTable root(parsed, "the file", &problem);
  std::vector<Rule> rules;
  std::set<std::string> names;
  std::vector<std::string> findings;
  for (TomlTable& table : root.Tables("rule")) {
    rules.push_back(ReadRule(table, name, &names, &findings));
  }
  root.Finish();
  if (rules.empty() && !problem.found()) problem.Report(0, "there is no [[rule]] in it");
  KTSTR_TRY(problem.AllToStatus());
  return rules;
}

Result<std::vector<Rule>> ReadRules(const std::filesystem::path& file) {
  return ParseRules(KTSTR_TRY(ReadTextFile(file)), file.string());
}

const std::vector<Rule>& BuiltInRules() {
  // A test reads them: they are right.
  static const std::vector<Rule> rules = *ParseRules(kBuiltIn, "scheduler.toml");
  return rules;
}

}  // namespace ktstr
