#include "analyze/check/finding_rule.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "analyze/findings/findings.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

std::string Quoted(const std::vector<std::string>& names) {
  return fmt::format("'{}'", fmt::join(names, "', '"));
}

}  // namespace

Result<Rule> RuleOfFinding(const std::string& finding) {
  const auto& all = FindingRules();
  const auto found = std::ranges::find(all, finding, &FindingRule::name);
  if (found == all.end()) {
    std::vector<std::string_view> names;
    for (const FindingRule& each : all) names.push_back(each.name);
    return Fail(ErrorCode::kInvalidArgument, UnknownWord("finding", finding, names));
  }
  Rule rule;
  rule.name = finding;
  const std::string_view check = HeaderOf(*found, "check");
  const size_t colon = check.find(": ");
  if (colon != check.npos) {
    rule.severity = KTSTR_TRY(ParseSeverity(check.substr(0, colon)));
    rule.message = check.substr(colon + 2);
  }
  rule.when = HeaderOf(*found, "when");
  rule.still = !HeaderOf(*found, "still").empty();
  // Where a finding's severity is always the same, it says nothing.
  const bool same = found->text.find("' AS severity") != std::string_view::npos;
  rule.sql = fmt::format("SELECT {}subject, detail FROM finding WHERE rule = '{}'",
                         same ? "" : "severity, ", finding);
  return rule;
}

std::string FindingsQuery(const std::vector<std::string>& findings) {
  return fmt::format("SELECT rule, subject, detail FROM finding WHERE rule IN ({})",
                     Quoted(findings));
}

std::string OtherFindingsQuery(const std::vector<std::string>& findings) {
  return fmt::format("SELECT rule, severity, subject, detail FROM finding WHERE rule NOT IN ({})",
                     Quoted(findings));
}

}  // namespace ktstr
