#include "analyze/findings/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "analyze/index/cells.h"

namespace ktstr {

namespace {

// A rule that finds more names the first of them and says how many more there are.
constexpr size_t kMaxFindingsPerRule = 100;

size_t RankOf(const std::string& severity) {
  constexpr std::array<std::string_view, 3> kSeverities = {"error", "warning", "info"};
  return static_cast<size_t>(std::find(kSeverities.begin(), kSeverities.end(), severity) -
                             kSeverities.begin());
}

}  // namespace

const RowTable<FindingRow>& FindingRow::Table() {
  using R = FindingRow;
  static const RowTable<R> table(
      "finding", "What is wrong, by rules over the other tables; errors first.",
      {
          Col<&R::rule>("rule", "", "Name of the rule."),
          Col<&R::severity>("severity", "", "error, warning or info."),
          Col<&R::subject>("subject", "", "Whom or what it is about."),
          Col<&R::detail>("detail", "", "What was found."),
          Col<&R::evidence>("evidence", "",
                            "The rows that show it: a JSON array of objects, each with the name "
                            "of its table and values of its columns."),
      });
  return table;
}

const std::vector<FindingRule>& FindingRules() {
  static const std::vector<FindingRule> rules = {
#include "finding_rules.inc"
  };
  return rules;
}

Status AddFindings(Database& index) {
  RowSet<FindingRow> findings;
  for (const FindingRule& rule : FindingRules()) {
    const auto found = index.Query(std::string(rule.text));
    if (!found) {
      return Fail(found.error().code(),
                  fmt::format("the rule {}: {}", rule.name, found.error().ToString()));
    }
    const size_t shown = std::min(found->rows.size(), kMaxFindingsPerRule);
    for (size_t i = 0; i < shown; ++i) {
      const auto& row = found->rows[i];
      findings.rows.push_back(
          {std::string(rule.name), TextOf(row[0]), TextOf(row[1]), TextOf(row[2]), TextOf(row[3])});
    }
    if (shown == found->rows.size()) continue;
    findings.rows.push_back({std::string(rule.name), TextOf(found->rows[shown][0]), "others",
                             fmt::format("{} more like these", found->rows.size() - shown), "[]"});
  }
  std::stable_sort(findings.rows.begin(), findings.rows.end(),
                   [](const FindingRow& a, const FindingRow& b) {
                     return RankOf(a.severity) < RankOf(b.severity);
                   });
  return index.AddTable(findings);
}

}  // namespace ktstr
