#include "analyze/findings/verdict.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "analyze/index/cells.h"

namespace ktstr {

namespace {

// What is to be said of a machine in which no rule finds anything wrong.
constexpr char kHealthQuery[] = R"sql(
SELECT CASE
         WHEN (SELECT count(*) FROM task WHERE pid != 0) = 0 THEN NULL
         ELSE 'Nothing is wrong: ' ||
              coalesce((SELECT 'the scheduler ' || ops_name || ' is enabled, '
                        FROM scx WHERE enable_state = 'enabled' ORDER BY level, scheduler LIMIT 1), '') ||
              coalesce((SELECT iif(count(*) = 0, 'no task waits for a CPU',
                                   printf('%d task%s for a CPU, the first for %.3f s', count(*),
                                          iif(count(*) = 1, ' waits', 's wait'),
                                          max(max(coalesce(waiting_ns, 0), coalesce(scx_waiting_ms, 0) * 1000000)) / 1e9))
                        FROM task WHERE pid != 0 AND on_rq = 1 AND on_cpu = 0), '')
       END)sql";

}  // namespace

const RowTable<VerdictRow>& VerdictRow::Table() {
  using R = VerdictRow;
  static const RowTable<R> table(
      "verdict", "What happened, in one sentence: one row.",
      {
          Col<&R::sentence>("sentence", "", "Who did what, where, and for how long."),
          Col<&R::certainty>("certainty", "", "How sure that is: certain, likely or possible."),
          Col<&R::severity>("severity", "", "error or warning; info where nothing is wrong."),
          Col<&R::finding>("finding", "", "Rank of the finding that it is; NULL for none."),
          Col<&R::explains>("explains", "", "How many other findings are there because of it."),
          Col<&R::evidence>("evidence", "JSON", "The rows that show it, as in finding."),
      });
  return table;
}

std::string WhatItExplains(const std::vector<FindingRow>& findings, int64_t rank) {
  // Whatever is explained stands behind what explains it.
  std::set<int64_t> causes = {rank};
  std::vector<std::pair<std::string_view, int64_t>> counts;
  for (const FindingRow& each : findings) {
    if (!each.explained_by || !causes.contains(*each.explained_by)) continue;
    causes.insert(each.rank);
    auto count = std::ranges::find(counts, each.rule, &std::pair<std::string_view, int64_t>::first);
    if (count == counts.end()) count = counts.insert(counts.end(), {each.rule, 0});
    ++count->second;
  }
  std::vector<std::string> names;
  for (const auto& [rule, count] : counts) names.push_back(CountedName(rule, count));
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<VerdictRow> VerdictOver(const std::vector<FindingRow>& findings, const Database& index) {
  if (!findings.empty() && findings[0].severity != "info") {
    const FindingRow& cause = findings[0];
    return VerdictRow{.sentence = cause.sentence,
                      .certainty = cause.certainty,
                      .severity = cause.severity,
                      .finding = cause.rank,
                      .explains = WhatItExplains(findings, cause.rank),
                      .evidence = cause.evidence};
  }
  const QueryResult health = KTSTR_TRY(index.Query(kHealthQuery));
  const std::string sentence = health.rows.empty() ? "" : TextOf(health.rows[0][0]);
  if (sentence.empty()) {
    return VerdictRow{.sentence = "Nothing can be said: no task was found",
                      .certainty = "certain",
                      .severity = "info",
                      .evidence = "[]"};
  }
  return VerdictRow{
      .sentence = sentence, .certainty = "likely", .severity = "info", .evidence = "[]"};
}

}  // namespace ktstr
