// Findings: what is wrong in a frozen machine, computed from the index by rules that are queries
// (rules/*.sql), and which of them are there because of which others.
//
// A rule's file begins with a comment that says what it finds, and has such lines:
//   -- rank: 30               how deep a cause it finds: the lower, the more it explains (100)
//   -- counted: long wait, long waits    what one and several of its findings are called
//   -- check: error: …        its rule in check (analyze/check/finding_rule.h)
//   -- when: SELECT …         on which machines that rule applies
//   -- still: …               why it is asked only of machines that stood still
// Its query gives severity, subject, detail and evidence (a JSON array of objects, each with a
// table and values of its columns; the first is what the finding is about), and where it finds a
// cause:
//   sentence   who did what, where and when; where there is none: "subject: detail"
//   certainty  certain (the default), likely or possible
//   explains   a JSON array of what is so because of it: "task:PID", "cpu:N", "dsq:KVA",
//              "scx:N", "cgroup:PATH", "log"
//   rank       in place of the rule's
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct FindingRow {
  int64_t rank = 0;
  std::string rule;
  std::string severity;
  std::string subject, detail;
  std::string sentence, certainty;
  std::optional<int64_t> explained_by;
  std::string evidence;

  static const RowTable<FindingRow>& Table();
};

struct FindingRule {
  std::string_view name;
  std::string_view text;  // the file
};

// In order of their names.
const std::vector<FindingRule>& FindingRules();
// What stands behind "-- KEY: " in a line of the comment that a rule begins with; empty when
// there is none.
std::string_view HeaderOf(const FindingRule& rule, std::string_view key);
// What `count` findings of a rule are called: "7 long waits".
std::string CountedName(std::string_view rule, int64_t count);

// Whether the machine ran while its memory was read, so that rows are of different moments.
bool RanWhileRead(const Database& index);

// Runs all rules over the other tables of `index` and adds the tables "finding", causes first, each
// followed by what it explains, and "verdict" (verdict.h). Of a machine that ran while it was read
// none is certain. Errors: those of Database.
Status AddFindings(Database& index);

}  // namespace ktstr
