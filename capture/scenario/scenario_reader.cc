#include "capture/scenario/scenario_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capture/scenario/scenario_sections.h"
#include "libcore/base/nearest_word.h"
#include "libcore/base/safe_text.h"
#include "libcore/base/text_file.h"
#include "libcore/base/utf8.h"
#include "libcore/toml/toml_table.h"

namespace ktstr {

namespace {

// Names that phases and expectations use must be those of workers and payloads.
class NameCheck {
 public:
  NameCheck(const Scenario& scenario, TomlProblem* problem) : problem_(problem) {
    for (const WorkerSpec& worker : scenario.workers) workers_.push_back(worker.name);
    for (const PayloadSpec& payload : scenario.payloads) payloads_.push_back(payload.name);
    for (const PhaseSpec& phase : scenario.phases) phases_.push_back(phase.name);
    both_ = workers_;
    both_.insert(both_.end(), payloads_.begin(), payloads_.end());
  }

  void Worker(int line, const std::string& name) { Check(line, "worker", name, workers_); }
  void Payload(int line, const std::string& name) { Check(line, "payload", name, payloads_); }
  void Phase(int line, const std::string& name) { Check(line, "phase", name, phases_); }
  void Either(int line, const std::string& name) { Check(line, "worker or payload", name, both_); }
  void Unique() {
    auto sorted = both_;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end()) {
      problem_->Report(0, fmt::format("two workers or payloads are called '{}': give one of them "
                                      "another 'name'",
                                      *twice));
    }
  }

 private:
  void Check(int line, std::string_view what, const std::string& name,
             const std::vector<std::string_view>& names) {
    if (std::ranges::find(names, name) != names.end()) return;
    problem_->Report(line, UnknownWord(what, name, names));
  }

  TomlProblem* problem_;
  std::vector<std::string_view> workers_, payloads_, phases_, both_;
};

void CheckNames(const Scenario& scenario, const SectionLines& lines, TomlProblem* problem) {
  NameCheck names(scenario, problem);
  names.Unique();
  for (size_t i = 0; i < scenario.phases.size() && i < lines.phases.size(); ++i) {
    const PhaseSpec& phase = scenario.phases[i];
    for (const auto& name : phase.start) names.Either(lines.phases[i], name);
    for (const auto& name : phase.stop) names.Worker(lines.phases[i], name);
    if (!phase.until.empty()) names.Payload(lines.phases[i], phase.until);
    for (const SignalSpec& signal : phase.signals) {
      const bool loader = scenario.scheduler && !scenario.scheduler->loader.empty();
      if (loader && signal.payload == kLoaderName) continue;
      names.Payload(lines.phases[i], signal.payload);
    }
    if (!phase.set->empty() && (!scenario.scheduler || scenario.scheduler->object.empty())) {
      problem->Report(lines.phases[i], "'set' of [[phase]] needs a [scheduler] with an 'object'");
    }
  }
  for (const Expectation& expectation : scenario.expectations) {
    if (!expectation.worker.empty()) names.Worker(expectation.line, expectation.worker);
  }
  for (size_t i = 0; i < lines.triggers.size(); ++i) {
    const TriggerSpec& trigger = lines.triggers[i].second;
    if (!trigger.worker.empty()) names.Worker(lines.triggers[i].first, trigger.worker);
    if (trigger.kind == TriggerKind::kPhase) names.Phase(lines.triggers[i].first, trigger.phase);
  }
}

}  // namespace

Result<Scenario> ParseScenario(std::string_view text, const std::filesystem::path& file) {
  TomlProblem problem(file.string());
  Scenario scenario;
  scenario.name = file.stem().string();
  scenario.file = file;
  const toml::table root = KTSTR_TRY(ParseToml(text, file.string()));
  TomlTable table(root, "the file", &problem);
  SectionLines lines;
  ReadSections(table, file.parent_path(), &scenario, &lines);
  table.Finish();
  if (!problem.found()) CheckNames(scenario, lines, &problem);
  KTSTR_TRY(problem.ToStatus());
  return scenario;
}

Result<TriggerSpec> ParseTrigger(const std::string& text) {
  if (!IsUtf8(text)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the trigger '{}' is no UTF-8", SafeText(text)));
  }
  // As a scenario's section says it, so that there is one reader for both.
  std::string section = "[[trigger]]\n";
  std::string_view rest = text;
  for (bool first = true; first || !rest.empty(); first = false) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string part = (first ? "on=" : "") + std::string(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = part.find('=');
    const std::string value = equals == part.npos ? "" : part.substr(equals + 1);
    const bool bare = value == "true" || value == "false" ||
                      (!value.empty() && value.find_first_not_of("0123456789.") == value.npos);
    section += fmt::format("{} = {}\n", part.substr(0, equals),
                           bare ? value : nlohmann::json(value).dump());
  }
  TomlProblem problem(fmt::format("the trigger '{}'", text));
  auto root = ParseToml(section, "trigger");
  if (!root) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("'{}' is no trigger: write NAME or NAME,KEY=VALUE, such as "
                            "stall,over=2s",
                            text));
  }
  TomlTable table(*root, "the trigger", &problem);
  Scenario scenario;
  SectionLines lines;
  ReadTriggers(table, &scenario, &lines);
  KTSTR_TRY(problem.ToStatus());
  return lines.triggers.front().second;
}

std::vector<TriggerSpec> DefaultTriggers() {
  const toml::table nothing;
  TomlProblem problem("");
  TomlTable table(nothing, "", &problem);
  Scenario scenario;
  SectionLines lines;
  ReadTriggers(table, &scenario, &lines);
  return scenario.triggers;
}

Result<Scenario> ReadScenario(const std::filesystem::path& file) {
  const auto text = ReadTextFile(file);
  // Whatever the reason: what the user named cannot be used.
  if (!text) return Fail(ErrorCode::kInvalidArgument, text.error().message());
  return ParseScenario(*text, file);
}

}  // namespace ktstr
