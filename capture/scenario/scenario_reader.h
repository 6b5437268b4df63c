// Reads a scenario's file.
#pragma once

#include <filesystem>
#include <string_view>

#include "capture/scenario/scenario.h"
#include "libcore/base/result.h"

namespace ktstr {

// Paths in it are relative to it. Errors: kInvalidArgument as "FILE:LINE: what is wrong", with the
// nearest valid word where one was mistyped, also when the file cannot be read.
Result<Scenario> ReadScenario(const std::filesystem::path& file);

// The same of a text; `file` is how messages name it, and what paths are relative to.
Result<Scenario> ParseScenario(std::string_view text, const std::filesystem::path& file);

// A trigger as it is written on a command line: "stall,over=2s", "write,symbol=panic_cpu,size=4".
// Errors: kInvalidArgument.
Result<TriggerSpec> ParseTrigger(const std::string& text);

// The triggers of a scenario that names none: those that are always armed.
std::vector<TriggerSpec> DefaultTriggers();

}  // namespace ktstr
