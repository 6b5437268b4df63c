// One test: boots the scenario's machine, lets it do what the scenario says, decides whether it
// passed, and keeps the frozen machine when it did not.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "capture/run/interrupt.h"
#include "capture/run/step_times.h"
#include "capture/scenario/scenario.h"
#include "libcore/archive/compression_level.h"
#include "libcore/base/result.h"

namespace ktstr {

enum class Verdict : uint8_t {
  kPassed,
  kFailed,       // a trigger struck, or an expectation did not hold
  kError,        // it could not be run to its end
  kInterrupted,  // the user ended it
};

std::string_view VerdictName(Verdict verdict);

struct TestOptions {
  std::filesystem::path out;      // the directory for the log, the console and archives
  std::filesystem::path analyze;  // the program ktstr-analyze; empty: the one beside ours
  std::string file_name;          // of what is written, without suffix; empty: the scenario's
  int64_t seed = 1;
  int compression_level = kKernelPagesLevel;  // of archives
  // A frozen machine to go on from, in place of booting one; empty for none. What the scenario sets
  // up and is there already stays as it is.
  std::filesystem::path resume;
  bool cold = false;  // whether to boot even where the same machine was kept as it had booted
  // Told of each step as it begins.
  std::function<void(const std::string&)> progress = nullptr;
};

struct TestResult {
  std::string name;
  Verdict verdict = Verdict::kError;
  std::string trigger;                // what ended it; empty when it passed
  std::vector<std::string> problems;  // one sentence each; none when it passed
  // What the machine that was kept shows (kept_verdict.h); empty when nothing, or none was kept.
  std::string cause;
  std::vector<std::filesystem::path> archives;
  std::string began_from;  // what was woken; empty when the machine was booted
  std::filesystem::path log, console;
  std::chrono::milliseconds duration{};
  TimeOfSteps steps;  // where it went
};

// Everything that the scenario names is looked for before anything is started: kInvalidArgument as
// "FILE:LINE: …" when its kernel, scheduler or a library of a payload is not there.
Result<Scenario> ResolveScenario(Scenario scenario);

// Runs a scenario that ResolveScenario has been given. What goes wrong is in the result.
TestResult RunTest(const Scenario& scenario, const TestOptions& options,
                   const Interrupt& interrupt);

}  // namespace ktstr
