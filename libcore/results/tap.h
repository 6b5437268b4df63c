// Results in the Test Anything Protocol, version 14.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "libcore/results/case_result.h"

namespace ktstr {

// A plan and a line for each; what was wrong follows as a YAML block. A '#' in a name is escaped.
// It is told of one case at a time, and keeps nothing of it but its lines. Source:
// https://testanything.org/tap-version-14-specification.html
class TapReport {
 public:
  void Add(const CaseResult& result);
  std::string Text() const;

 private:
  std::string lines_;
  size_t cases_ = 0;
};

// The report with all of these.
std::string ToTap(const std::vector<CaseResult>& cases);

}  // namespace ktstr
