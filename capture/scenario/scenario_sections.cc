#include "capture/scenario/scenario_sections.h"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

void ReadRun(TomlTable table, Scenario* scenario, std::chrono::microseconds* duration) {
  table.Read("description", &scenario->description);
  table.Read("duration", duration);
  table.Read("timeout", &scenario->timeout);
  table.Read("seed", &scenario->seed, 0, INT64_MAX);
  constexpr std::string_view kKeep[] = {"all", "kernel"};
  size_t keep = 0;
  table.ReadWord("keep", kKeep, &keep);
  scenario->keep = keep == 1 ? Keep::kKernel : Keep::kAll;
  table.Finish();
}

void ReadMachine(TomlTable table, const fs::path& directory, Scenario* scenario) {
  MachineOptions& machine = scenario->machine;
  constexpr std::string_view kAccelerators[] = {"auto", "kvm", "tcg"};
  scenario->kernel_line = table.LineOf("kernel");
  table.Read("kernel", &scenario->kernel);
  if (scenario->kernel.find('/') != std::string::npos) {
    scenario->kernel = (directory / scenario->kernel).string();
  }
  table.ReadSize("memory", &machine.memory_bytes);
  table.Read("cpus", &machine.cpus, 1, 255);
  table.Read("cores", &machine.cores, 1, 255);
  table.Read("threads", &machine.threads, 1, 255);
  table.Read("numa_nodes", &machine.numa_nodes, 1, 64);
  table.Read("cmdline", &machine.kernel_cmdline);
  table.Read("cpu", &machine.cpu_model);
  table.Read("kaslr", &machine.kaslr);
  size_t accelerator = 0;
  table.ReadWord("accel", kAccelerators, &accelerator);
  machine.accelerator = static_cast<Accelerator>(accelerator);
  int sockets = 0;
  table.Read("sockets", &sockets, 1, 255);
  const int cores = std::max(machine.cores, 1), threads = std::max(machine.threads, 1);
  if (sockets > 0 && !table.Has("cpus")) machine.cpus = sockets * cores * threads;
  if (machine.cpus % (cores * threads) != 0 ||
      (sockets > 0 && machine.cpus != sockets * cores * threads)) {
    table.Complain(
        "cpus",
        fmt::format("{} CPUs cannot be laid out as {}sockets of {} cores with {} threads "
                    "each",
                    machine.cpus, sockets > 0 ? fmt::format("{} ", sockets) : "", cores, threads));
  }
  if (machine.numa_nodes > machine.cpus) {
    table.Complain("numa_nodes", "there are more 'numa_nodes' than 'cpus'");
  }
  table.Finish();
}

// {guest path = path here, …}
void ReadFiles(TomlTable& table, const fs::path& directory, std::vector<GuestFile>* files) {
  nlohmann::json map = nlohmann::json::object();
  table.ReadJson("files", &map);
  if (!map.is_object()) return table.Complain("files", "'files' is a table: \"/there\" = \"here\"");
  for (const auto& [there, here] : map.items()) {
    if (!here.is_string()) return table.Complain("files", "'files' has a path per path");
    files->push_back({directory / here.get<std::string>(), there, 0755});
  }
}

void ReadRoot(TomlTable& table, const fs::path& directory, ProgramRoot* root) {
  std::string path;
  table.Read("root", &path);
  if (path.empty()) return;
  root->host = (directory / path).lexically_normal();
  std::error_code ignored;
  if (!fs::is_directory(root->host, ignored)) {
    table.Complain("root", fmt::format("there is no directory '{}'", root->host.string()));
  }
}

void ReadScheduler(TomlTable table, const fs::path& directory, Scenario* scenario) {
  SchedulerSpec& scheduler = scenario->scheduler.emplace();
  scenario->scheduler_line = table.line();
  table.Read("object", &scheduler.object);
  if (scheduler.object.find('/') != std::string::npos) {
    scheduler.object = (directory / scheduler.object).string();
  }
  table.ReadJson("variables", &*scheduler.variables);
  table.Read("loader", &scheduler.loader);
  ReadFiles(table, directory, &scheduler.files);
  ReadRoot(table, directory, &scheduler.root);
  if (scheduler.object.empty() == scheduler.loader.empty()) {
    table.Report(table.line(), "[scheduler] needs either an 'object' or a 'loader'");
  }
  if (!scheduler.loader.empty()) {
    scheduler.loader[0] = (directory / scheduler.loader[0]).string();
    if (!scheduler.variables->empty()) {
      table.Complain("variables", "'variables' of [scheduler] are those of an 'object'");
    }
  } else if (!scheduler.root.host.empty()) {
    table.Complain("root", "'root' of [scheduler] is that of a 'loader'");
  }
  table.Finish();
}

void ReadCgroups(TomlTable& root, Scenario* scenario) {
  for (TomlTable& table : root.Tables("cgroup")) {
    CgroupSpec& cgroup = scenario->cgroups.emplace_back();
    table.Require("path");
    table.Read("path", &cgroup.path);
    table.ReadJson("files", &*cgroup.files);
    if (cgroup.path.size() < 2 || cgroup.path[0] != '/' || cgroup.path.back() == '/') {
      table.Complain("path", fmt::format("a cgroup's path looks like /a/b, not '{}'", cgroup.path));
    }
    if (!cgroup.files->is_object()) table.Complain("files", "'files' of [[cgroup]] is a table");
    table.Finish();
  }
}

void ReadPayloads(TomlTable& root, const fs::path& directory, Scenario* scenario) {
  for (TomlTable& table : root.Tables("payload")) {
    PayloadSpec& payload = scenario->payloads.emplace_back();
    std::string program;
    table.Require("program");
    table.Read("program", &program);
    payload.program = directory / program;
    payload.name = payload.program.filename().string();
    table.Read("name", &payload.name);
    table.Read("arguments", &payload.arguments);
    table.ReadJson("env", &*payload.environment);
    ReadFiles(table, directory, &payload.files);
    ReadRoot(table, directory, &payload.root);
    table.Read("loads_scheduler", &payload.loads_scheduler);
    ReadTaskSetting(table, &*payload.setting);
    std::error_code failed;  // what may not be looked at is said when it is read
    if (!fs::exists(payload.program, failed) && !failed) {
      table.Complain("program", fmt::format("there is no program '{}'", payload.program.string()));
    }
    table.Finish();
  }
}

void ReadWrites(TomlTable& table, std::vector<FileWrite>* writes) {
  for (TomlTable& write : table.Tables("write")) {
    FileWrite& one = writes->emplace_back();
    write.Require("path");
    write.Require("text");
    write.Read("path", &one.path);
    write.Read("text", &one.text);
    write.Finish();
  }
}

// "STOP" or "SIGSTOP"; 0 when there is no such signal.
int SignalOf(std::string_view name) {
  if (name.starts_with("SIG")) name.remove_prefix(3);
  for (int number = 1; number < SIGRTMIN; ++number) {
    if (const char* known = sigabbrev_np(number); known != nullptr && name == known) return number;
  }
  return 0;
}

// {program = signal, …}
void ReadSignals(TomlTable& table, std::vector<SignalSpec>* signals) {
  nlohmann::json map = nlohmann::json::object();
  table.ReadJson("signal", &map);
  if (!map.is_object()) return table.Complain("signal", "'signal' is a table: NAME = \"STOP\"");
  for (const auto& [program, signal] : map.items()) {
    const int number = signal.is_string() ? SignalOf(signal.get<std::string>()) : 0;
    if (number == 0) {
      table.Complain("signal", fmt::format("{} is no signal's name, such as \"STOP\" or \"INT\"",
                                           signal.dump()));
    }
    signals->push_back({program, number});
  }
}

void ReadPhases(TomlTable& root, std::chrono::microseconds duration, Scenario* scenario,
                SectionLines* lines) {
  for (TomlTable& table : root.Tables("phase")) {
    PhaseSpec& phase = scenario->phases.emplace_back();
    lines->phases.push_back(table.line());
    phase.name = fmt::format("phase {}", scenario->phases.size());
    phase.duration = duration;
    table.Read("name", &phase.name);
    table.Read("duration", &phase.duration);
    table.Read("until", &phase.until);
    table.Read("start", &phase.start);
    table.Read("stop", &phase.stop);
    table.ReadJson("set", &*phase.set);
    if (!phase.set->is_object()) table.Complain("set", "'set' of [[phase]] is a table");
    ReadWrites(table, &phase.writes);
    ReadSignals(table, &phase.signals);
    table.Finish();
  }
  if (scenario->phases.empty()) {
    scenario->phases.push_back({.name = "run", .duration = duration});
    lines->phases.push_back(0);
  }
}

}  // namespace

std::vector<std::string_view> SplitWords(std::string_view text) {
  std::vector<std::string_view> words;
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) words.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return words;
}

void ReadTaskSetting(TomlTable& table, nlohmann::json* setting) {
  constexpr std::string_view kPolicies[] = {"other", "batch", "idle", "fifo", "rr", "ext"};
  const auto text = [&](const char* key) {
    std::string value;
    table.Read(key, &value);
    if (!value.empty()) (*setting)[key] = value;
  };
  const auto number = [&](const char* key, int least, int most) {
    int value = 0;
    table.Read(key, &value, least, most);
    if (table.Has(key)) (*setting)[key] = value;
  };
  text("cgroup");
  text("cpus");
  size_t policy = 0;
  table.ReadWord("policy", kPolicies, &policy);
  if (table.Has("policy")) (*setting)["policy"] = kPolicies[policy];
  number("priority", 1, 99);
  number("nice", -20, 19);
}

void ReadSections(TomlTable& root, const fs::path& directory, Scenario* scenario,
                  SectionLines* lines) {
  std::chrono::microseconds duration = seconds(2);
  if (auto table = root.Table("run")) ReadRun(*table, scenario, &duration);
  if (auto table = root.Table("machine")) ReadMachine(*table, directory, scenario);
  if (auto table = root.Table("scheduler")) ReadScheduler(*table, directory, scenario);
  ReadCgroups(root, scenario);
  ReadWorkers(root, scenario);
  ReadPayloads(root, directory, scenario);
  ReadPhases(root, duration, scenario, lines);
  ReadTriggers(root, scenario, lines);
  ReadExpectations(root, scenario);
}

}  // namespace ktstr
