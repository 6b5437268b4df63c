// Many tests, some at a time.
#pragma once

#include <functional>
#include <vector>

#include "capture/run/interrupt.h"
#include "capture/run/test_run.h"

namespace ktstr {

struct SuiteJob {
  Scenario scenario;  // resolved
  TestOptions options;
};

// Runs the jobs in their order, `at_once` of them at a time; results in the order of the jobs.
// After an interrupt no further job is begun: its result says so. `finished` is called as each one
// ends, by any thread.
std::vector<TestResult> RunSuite(const std::vector<SuiteJob>& jobs, int at_once,
                                 const Interrupt& interrupt,
                                 const std::function<void(const TestResult&)>& finished);

}  // namespace ktstr
