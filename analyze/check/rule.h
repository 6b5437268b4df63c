// Rules over a frozen machine: queries whose answers say whether all is well. Read from TOML:
//
//   [[rule]]
//   name = "nobody_waits"
//   severity = "error"           # or "warning", "info"
//   message = "no task waits for longer than 5 s"
//   when = "SELECT 1 FROM scx"   # optional: only where this gives rows
//   rows = "none"                # what must come: none (the default) or some
//   still = true                 # not applicable where the machine ran while it was read
//   sql = "SELECT comm, pid FROM task WHERE scx_waiting_ms > 5000"
//
// or that some findings are not there, which then say all the rest (finding_rule.h):
//
//   [[rule]]
//   findings = ["lost_task"]
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/result.h"

namespace ktstr {

enum class Severity : uint8_t { kError, kWarning, kInfo };

std::string_view SeverityName(Severity severity);
// Errors: kInvalidArgument, with the nearest word.
Result<Severity> ParseSeverity(std::string_view name);

struct Rule {
  std::string name;
  Severity severity = Severity::kError;
  std::string message;  // what holds when all is well; every rule has one
  std::string when;     // a query; empty: always
  bool wants_rows = false;
  // Compares what lies in several places: not asked where the machine ran while it was read.
  bool still = false;
  std::string sql;
  std::string place;  // "FILE:LINE" of the query
};

// The rules of a file. Errors: kNotFound (no such file); kInvalidArgument with all mistakes of the
// file, in the order of their lines, each as "FILE:LINE: …".
Result<std::vector<Rule>> ReadRules(const std::filesystem::path& file);
// The same of a text that is called `name` in messages.
Result<std::vector<Rule>> ParseRules(std::string_view text, const std::string& name);

// What every scheduler's frozen state can be held to (rules/scheduler.toml).
const std::vector<Rule>& BuiltInRules();

}  // namespace ktstr
