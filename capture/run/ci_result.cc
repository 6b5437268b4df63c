#include "capture/run/ci_result.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ktstr {

CaseResult ForCi(const TestResult& result) {
  CaseResult ci;
  ci.group = "ktstr";
  ci.name = result.name;
  ci.duration = result.duration;
  if (!result.began_from.empty()) {
    ci.output = fmt::format("began from {}\n", result.began_from);
  }
  if (result.verdict == Verdict::kPassed) return ci;
  ci.outcome = result.verdict == Verdict::kFailed ? CaseResult::Outcome::kFailed
                                                  : CaseResult::Outcome::kError;
  ci.type = result.trigger.empty() ? std::string(VerdictName(result.verdict)) : result.trigger;
  // The cause first: what happened is read before what was expected.
  ci.message = fmt::format("{}{}{}", result.cause, result.cause.empty() ? "" : "; ",
                           fmt::join(result.problems, "; "));
  if (!result.log.empty()) ci.output += fmt::format("log: {}\n", result.log.string());
  for (const auto& archive : result.archives)
    ci.output += fmt::format("archive: {}\n", archive.string());
  return ci;
}

}  // namespace ktstr
