// Results of tests in JUnit's XML, as CI systems read it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "ktstr/base/result.h"
#include "ktstr/run/test_run.h"

namespace ktstr {

// One <testsuite> named "ktstr-run"; times in seconds. A failure has the trigger as its type; the
// archives and the log stand in <system-out>.
std::string ToJunit(const std::vector<TestResult>& results);

// Errors: kIo.
Status WriteJunit(const std::filesystem::path& file, const std::vector<TestResult>& results);

}  // namespace ktstr
