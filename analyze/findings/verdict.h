// The verdict: one sentence about a frozen machine, which names the deepest cause that was found.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "analyze/findings/findings.h"

namespace ktstr {

struct VerdictRow {
  std::string sentence, certainty, severity;
  std::optional<int64_t> finding;
  std::string explains;
  std::string evidence;

  static const RowTable<VerdictRow>& Table();
};

// The verdict over findings in their order, of which the first is the deepest cause. Where none is
// an error or a warning, it says so, with what the scheduler is.
// Errors: those of Database.
Result<VerdictRow> VerdictOver(const std::vector<FindingRow>& findings, const Database& index);

// "5 long waits, 1 idle CPU": what the finding of that rank explains, with what that explains in
// turn; empty when nothing.
std::string WhatItExplains(const std::vector<FindingRow>& findings, int64_t rank);

}  // namespace ktstr
