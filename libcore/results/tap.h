// Results in the Test Anything Protocol, version 14.
#pragma once

#include <string>
#include <vector>

#include "libcore/results/case_result.h"

namespace ktstr {

// A plan and a line for each; what was wrong follows as a YAML block. A '#' in a name is escaped.
// Source: https://testanything.org/tap-version-14-specification.html
std::string ToTap(const std::vector<CaseResult>& cases);

}  // namespace ktstr
