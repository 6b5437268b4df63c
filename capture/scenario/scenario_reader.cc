#include "capture/scenario/scenario_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capture/scenario/scenario_sections.h"
#include "libcore/base/nearest_word.h"
#include "libcore/base/text_file.h"
#include "libcore/toml/toml_table.h"

namespace ktstr {

namespace {

// Names that phases and expectations use must be those of workers and payloads.
class NameCheck {
 public:
  NameCheck(const Scenario& scenario, TomlProblem* problem) : problem_(problem) {
    for (const WorkerSpec& worker : scenario.workers) workers_.push_back(worker.name);
    for (const PayloadSpec& payload : scenario.payloads) payloads_.push_back(payload.name);
    both_ = workers_;
    both_.insert(both_.end(), payloads_.begin(), payloads_.end());
  }

  void Worker(int line, const std::string& name) { Check(line, "worker", name, workers_); }
  void Payload(int line, const std::string& name) { Check(line, "payload", name, payloads_); }
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
  std::vector<std::string_view> workers_, payloads_, both_;
};

void CheckNames(const Scenario& scenario, const SectionLines& lines, TomlProblem* problem) {
  NameCheck names(scenario, problem);
  names.Unique();
  for (size_t i = 0; i < scenario.phases.size() && i < lines.phases.size(); ++i) {
    const PhaseSpec& phase = scenario.phases[i];
    for (const auto& name : phase.start) names.Either(lines.phases[i], name);
    for (const auto& name : phase.stop) names.Worker(lines.phases[i], name);
    if (!phase.until.empty()) names.Payload(lines.phases[i], phase.until);
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

Result<Scenario> ReadScenario(const std::filesystem::path& file) {
  const auto text = ReadTextFile(file);
  // Whatever the reason: what the user named cannot be used.
  if (!text) return Fail(ErrorCode::kInvalidArgument, text.error().message());
  return ParseScenario(*text, file);
}

}  // namespace ktstr
