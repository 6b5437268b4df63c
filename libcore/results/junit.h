// Results in JUnit's XML, as CI systems read it.
#pragma once

#include <string>
#include <vector>

#include "libcore/results/case_result.h"

namespace ktstr {

// One <testsuite> of that name; times in seconds. Control characters, which XML cannot hold, are
// shown as SafeText shows them.
std::string ToJunit(const std::string& suite, const std::vector<CaseResult>& cases);

}  // namespace ktstr
