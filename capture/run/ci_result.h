// A test's result as CI systems take it.
#pragma once

#include "capture/run/test_run.h"
#include "libcore/results/case_result.h"

namespace ktstr {

// A failure has the trigger as its type; the log and the archives stand in the output.
CaseResult ForCi(const TestResult& result);

}  // namespace ktstr
