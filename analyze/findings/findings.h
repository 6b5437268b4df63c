// Findings: what is wrong in a frozen machine, computed from the index by rules that are queries
// (rules/*.sql). A rule's file begins with a comment that says what it finds; its query gives
// severity, subject, detail and evidence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "analyze/index/database.h"
#include "libcore/base/result.h"
#include "libcore/walk/row/row.h"

namespace ktstr {

struct FindingRow {
  std::string rule;
  std::string severity;
  std::string subject, detail;
  std::string evidence;

  static const RowTable<FindingRow>& Table();
};

struct FindingRule {
  std::string_view name;
  std::string_view text;  // the file
};

// In order of their names.
const std::vector<FindingRule>& FindingRules();

// Runs all rules over the other tables of `index` and adds the table "finding", errors first.
// Errors: those of Database.
Status AddFindings(Database& index);

}  // namespace ktstr
