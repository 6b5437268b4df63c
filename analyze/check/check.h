// Check: holds a frozen machine against rules.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "analyze/check/rule.h"
#include "analyze/index/database.h"
#include "libcore/results/case_result.h"

namespace ktstr {

struct RuleResult {
  enum class Outcome : uint8_t {
    kHolds,
    kFails,
    kNotApplicable,  // its `when` gave no rows, or there is no kernel for it to hold of,
                      // or the machine ran while it was read
    kError,          // its query could not be answered
  };

  const Rule* rule = nullptr;
  Outcome outcome = Outcome::kHolds;
  QueryResult rows;     // of a rule that fails: what its query gave; the first of them
  size_t all_rows = 0;  // how many there were
  std::string error;
  std::chrono::microseconds duration{};
};

// "holds", "fails", "not applicable", "error".
std::string_view OutcomeName(RuleResult::Outcome outcome);

struct CheckOptions {
  double timeout_s = 60;  // of one query; 0: none
  size_t kept_rows = 20;  // of a rule that fails
};

// Whether a kernel was found in the machine, so that the tables about it say anything.
bool HasKernel(const Database& index);

// One result for each rule, in their order. `rules` must outlive the results.
std::vector<RuleResult> RunRules(const Database& index, const std::vector<Rule>& rules,
                                 const CheckOptions& options = {});

// For people: a line for each rule, and below one that fails its first rows.
std::string ToText(const std::vector<RuleResult>& results, size_t terminal_width);
std::string ToJson(const std::vector<RuleResult>& results);
// Whether a rule of that severity or worse fails, or could not be asked.
bool SomethingFails(const std::vector<RuleResult>& results, Severity fail_on);
// For CI, which then says "failed" exactly where SomethingFails does; of a rule that fails and is
// less severe, a case that passed tells it in its message and output. `group` names the archive.
std::vector<CaseResult> ForCi(const std::vector<RuleResult>& results, const std::string& group,
                              Severity fail_on);

struct CheckCounts {
  size_t hold = 0, fail = 0, not_applicable = 0, errors = 0;
};
CheckCounts Count(const std::vector<RuleResult>& results);

}  // namespace ktstr
