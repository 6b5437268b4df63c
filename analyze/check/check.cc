#include "analyze/check/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "analyze/findings/findings.h"
#include "analyze/text/output.h"
#include "analyze/text/wrap.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using Outcome = RuleResult::Outcome;
using std::chrono::steady_clock;

// The outcome and, where it fails, the rows.
Result<RuleResult> Ask(const Database& index, const Rule& rule, const CheckOptions& options) {
  RuleResult result{.rule = &rule, .error = {}};
  const QueryLimits limits{.timeout_s = options.timeout_s};
  if (rule.still && RanWhileRead(index)) {
    result.outcome = Outcome::kNotApplicable;
    return result;
  }
  if (!rule.when.empty() && KTSTR_TRY(index.Query(rule.when, limits)).rows.empty()) {
    result.outcome = Outcome::kNotApplicable;
    return result;
  }
  QueryResult rows = KTSTR_TRY(index.Query(rule.sql, limits));
  if (rows.rows.empty() != rule.wants_rows) {
    // It may hold only since something is missing.
    if (!index.IncompleteIn(rule.sql).empty()) result.outcome = Outcome::kNotApplicable;
    return result;
  }
  result.outcome = Outcome::kFails;
  result.all_rows = rows.rows.size();
  if (rows.rows.size() > options.kept_rows) rows.rows.resize(options.kept_rows);
  result.rows = std::move(rows);
  return result;
}

RuleResult RunRule(const Database& index, const Rule& rule, const CheckOptions& options) {
  const auto begun = steady_clock::now();
  auto asked = Ask(index, rule, options);
  RuleResult result = asked ? *std::move(asked) : RuleResult{.rule = &rule, .error = {}};
  if (!asked) {
    result.outcome = Outcome::kError;
    result.error = fmt::format("{}: {}", rule.place, asked.error().ToString());
  }
  result.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begun);
  return result;
}

// What a rule gave that should have given nothing, or that it gave nothing.
std::string RowsText(const RuleResult& result, size_t terminal_width) {
  if (result.rule->wants_rows) return "there is no such row\n";
  std::string text = ToTextTable(result.rows, {terminal_width});
  if (result.all_rows > result.rows.rows.size()) {
    text += fmt::format("and {} more\n", result.all_rows - result.rows.rows.size());
  }
  return text;
}

std::string Indented(const std::string& text) {
  constexpr const char* kIndent = "      ";
  std::string indented;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    indented += kIndent + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return indented;
}

}  // namespace

std::string_view OutcomeName(RuleResult::Outcome outcome) {
  switch (outcome) {
    case Outcome::kHolds:
      return "holds";
    case Outcome::kFails:
      return "fails";
    case Outcome::kNotApplicable:
      return "not applicable";
    case Outcome::kError:
      return "error";
  }
  return "error";
}

std::vector<RuleResult> RunRules(const Database& index, const std::vector<Rule>& rules,
                                 const CheckOptions& options) {
  const bool has_kernel = HasKernel(index);
  std::vector<RuleResult> results;
  for (const Rule& rule : rules) {
    RuleResult& result = results.emplace_back(RunRule(index, rule, options));
    // Nothing was found since nothing was there to look at.
    const bool empty = result.outcome == Outcome::kHolds && !rule.wants_rows;
    if (empty && !has_kernel) result.outcome = Outcome::kNotApplicable;
  }
  return results;
}

bool HasKernel(const Database& index) {
  const auto rows =
      index.Query("SELECT 1 FROM machine WHERE key = 'release' AND value IS NOT NULL");
  return rows && !rows->rows.empty();
}

CheckCounts Count(const std::vector<RuleResult>& results) {
  CheckCounts counts;
  for (const RuleResult& result : results) {
    counts.hold += result.outcome == Outcome::kHolds;
    counts.fail += result.outcome == Outcome::kFails;
    counts.not_applicable += result.outcome == Outcome::kNotApplicable;
    counts.errors += result.outcome == Outcome::kError;
  }
  return counts;
}

std::string ToText(const std::vector<RuleResult>& results, size_t terminal_width) {
  constexpr size_t kIndentWidth = 6;
  size_t name_width = 0;
  for (const RuleResult& result : results) {
    name_width = std::max(name_width, DisplayWidth(SafeText(result.rule->name)));
  }
  const size_t rows_width = terminal_width > kIndentWidth ? terminal_width - kIndentWidth : 0;
  std::string text;
  for (const RuleResult& result : results) {
    const Rule& rule = *result.rule;
    const char* mark = result.outcome == Outcome::kHolds           ? "ok"
                       : result.outcome == Outcome::kNotApplicable ? "-"
                       : result.outcome == Outcome::kError         ? "ERROR"
                                                                   : "FAILS";
    std::string line = fmt::format("{:<5} {:<7} {:<{}} {}", mark, SeverityName(rule.severity),
                                   SafeText(rule.name), name_width, SafeText(rule.message));
    if (result.outcome == Outcome::kNotApplicable) line += " (not applicable)";
    text += Wrapped(line, terminal_width, kIndentWidth) + "\n";
    if (result.outcome == Outcome::kFails) text += Indented(RowsText(result, rows_width));
    if (result.outcome == Outcome::kError) text += Indented(SafeText(result.error));
  }
  const CheckCounts counts = Count(results);
  text += fmt::format("{} rules: {} hold, {} fail", results.size(), counts.hold, counts.fail);
  if (counts.errors > 0) text += fmt::format(", {} could not be asked", counts.errors);
  if (counts.not_applicable > 0) text += fmt::format(", {} not applicable", counts.not_applicable);
  return text + "\n";
}

std::string ToJson(const std::vector<RuleResult>& results) {
  using nlohmann::ordered_json;
  ordered_json list = ordered_json::array();
  for (const RuleResult& result : results) {
    ordered_json object = {
        {"rule", result.rule->name},       {"severity", SeverityName(result.rule->severity)},
        {"message", result.rule->message}, {"outcome", OutcomeName(result.outcome)},
        {"row_count", result.all_rows},    {"rows", ordered_json::parse(ToJson(result.rows))}};
    if (!result.error.empty()) object["error"] = result.error;
    list.push_back(std::move(object));
  }
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

bool SomethingFails(const std::vector<RuleResult>& results, Severity fail_on) {
  return std::ranges::any_of(results, [&](const RuleResult& result) {
    return result.outcome == Outcome::kError ||
           (result.outcome == Outcome::kFails && result.rule->severity <= fail_on);
  });
}

std::vector<CaseResult> ForCi(const std::vector<RuleResult>& results, const std::string& group,
                              Severity fail_on) {
  std::vector<CaseResult> cases;
  for (const RuleResult& result : results) {
    CaseResult& ci = cases.emplace_back();
    ci.group = group;
    ci.name = result.rule->name;
    ci.duration = std::chrono::duration_cast<std::chrono::milliseconds>(result.duration);
    ci.type = SeverityName(result.rule->severity);
    if (result.outcome == Outcome::kNotApplicable) ci.outcome = CaseResult::Outcome::kSkipped;
    if (result.outcome == Outcome::kFails) {
      ci.message = fmt::format("not so: {}", result.rule->message);
      ci.output = RowsText(result, 0);
      if (result.rule->severity <= fail_on) {
        ci.outcome = CaseResult::Outcome::kFailed;
      } else {
        // JUnit has no message of a case that passed.
        ci.output = fmt::format("{}: {}\n{}", ci.type, ci.message, ci.output);
      }
    }
    if (result.outcome == Outcome::kError) {
      ci.outcome = CaseResult::Outcome::kError;
      ci.message = result.error;
    }
  }
  return cases;
}

}  // namespace ktstr
