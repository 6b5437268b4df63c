// What a shell does beside SQL: lines that begin with a dot, as in SQLite's own shell, and every
// subcommand of the program that asks a question.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "analyze/command/command.h"

namespace ktstr {

// What dot-commands change.
struct ShellSettings {
  QueryLimits limits = {.timeout_s = 60};
  bool end = false;
  std::function<Status(const std::string& path)> read_file;
};

// The names, each with its dot, sorted.
std::vector<std::string> DotCommandNames();

// Runs one line. Gives what it writes. Errors: kInvalidArgument (no such command, wrong usage), and
// those of what it does.
Result<std::string> RunDotCommand(const std::string& line, Session& session,
                                  ShellSettings& settings);

}  // namespace ktstr
