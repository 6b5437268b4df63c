// A test's result as CI systems take it.
#pragma once

#include "ktstr/results/case_result.h"
#include "ktstr/run/test_run.h"

namespace ktstr {

// A failure has the trigger as its type; the log and the archives stand in the output.
CaseResult ForCi(const TestResult& result);

}  // namespace ktstr
