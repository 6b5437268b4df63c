// Rules of `check` that say: the findings of these rules are not there. What is to hold then, and
// how bad it is when it does not, stands with the finding itself, in the comment of its file:
//
//   -- check: error: every runnable task of sched_ext's stands in a dispatch queue
//   -- when: SELECT 1 FROM scx
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/check/rule.h"
#include "libcore/base/result.h"

namespace ktstr {

// Stands for all findings that no other rule of the file names.
inline constexpr std::string_view kOtherFindings = "others";

// The rule that this finding is not there, without a place. Errors: kInvalidArgument, with the
// nearest name, when there is no such finding.
Result<Rule> RuleOfFinding(const std::string& finding);

// The query for several of them.
std::string FindingsQuery(const std::vector<std::string>& findings);
// The query for all findings but those.
std::string OtherFindingsQuery(const std::vector<std::string>& findings);

}  // namespace ktstr
