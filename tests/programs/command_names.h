// What commands and options a program has, by its help.
#pragma once

#include <gtest/gtest.h>

#include <regex>
#include <set>
#include <string>
#include <vector>

#include "../analyze/run_program.h"

namespace ktstr {

// The names of the options that a help text explains.
inline std::set<std::string> OptionsIn(const std::string& help) {
  // CLI11 sets them off by two spaces; since 2.5 those without a short name further.
  static const std::regex line(R"(\n {2,8}(?:-\w, *)?(--[a-z-]+))");
  std::set<std::string> options;
  for (auto at = std::sregex_iterator(help.begin(), help.end(), line); at != std::sregex_iterator();
       ++at) {
    options.insert((*at)[1]);
  }
  return options;
}

inline std::vector<std::string> CommandsIn(const std::string& help) {
  size_t begin = help.find("\nSubcommands:\n");
  if (begin == std::string::npos) begin = help.find("\nSUBCOMMANDS:\n");  // CLI11 since 2.5
  if (begin == std::string::npos) return {};
  const std::string list = help.substr(begin, help.find("\n\n", begin) - begin);
  static const std::regex line(R"(\n  ([a-z-]+))");
  std::vector<std::string> commands;
  for (auto at = std::sregex_iterator(list.begin(), list.end(), line); at != std::sregex_iterator();
       ++at) {
    commands.push_back((*at)[1]);
  }
  return commands;
}

// The options of a command and of all below it; the names of these into `commands`.
inline std::set<std::string> AllOptions(const std::string& command, std::string name,
                                        std::set<std::string>& commands) {
  const std::string help = RunInShell(command + " --help").out;
  EXPECT_NE(help, "") << command;
  std::set<std::string> options = OptionsIn(help);
  for (const std::string& below : CommandsIn(help)) {
    commands.insert(name + below);
    options.merge(AllOptions(command + " " + below, name + below + " ", commands));
  }
  return options;
}

}  // namespace ktstr
