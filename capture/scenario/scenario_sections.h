// The sections of a scenario's file, each read by a function of its own.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <utility>
#include <vector>

#include "capture/scenario/scenario.h"
#include "libcore/toml/toml_table.h"

namespace ktstr {

// Lines of things whose names can be checked only when everything is read.
struct SectionLines {
  std::vector<int> phases;
  std::vector<std::pair<int, TriggerSpec>> triggers;
};

// Reads every section of `root` into `scenario`; `directory` is what paths are relative to.
// Problems are reported to the table's TomlProblem.
void ReadSections(TomlTable& root, const std::filesystem::path& directory, Scenario* scenario,
                  SectionLines* lines);

// [[worker]], [[trigger]] and [[expect]], which have a file of their own each.
void ReadWorkers(TomlTable& root, Scenario* scenario);
void ReadTriggers(TomlTable& root, Scenario* scenario, SectionLines* lines);
void ReadExpectations(TomlTable& root, Scenario* scenario);

// How a process is to be scheduled (cgroup, cpus, policy, priority, nice), as task_setting.h of the
// guest takes it.
void ReadTaskSetting(TomlTable& table, nlohmann::json* setting);

// "a b c" as three words.
std::vector<std::string_view> SplitWords(std::string_view text);

}  // namespace ktstr
