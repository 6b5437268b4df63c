#include "analyze/corpus/corpus_check.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "analyze/corpus/archive_index.h"
#include "analyze/text/lines.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

using Outcome = RuleResult::Outcome;

Result<std::vector<RuleResult>> CheckArchive(const std::filesystem::path& archive,
                                             const std::vector<Rule>& rules,
                                             const CheckOptions& options,
                                             SnapshotMemoryOptions memory) {
  return RunRules(KTSTR_TRY(ArchiveIndex::Open(archive, memory))->database(), rules, options);
}

std::string Failing(const ArchiveCheck& check) {
  std::string names;
  for (const RuleResult& result : check.results) {
    if (result.outcome != Outcome::kFails && result.outcome != Outcome::kError) continue;
    names += (names.empty() ? "" : ", ") + result.rule->name;
    if (result.outcome == Outcome::kError) names += " (error)";
  }
  return names;
}

}  // namespace

Status CheckCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                   const std::vector<Rule>& rules, const CheckOptions& options,
                   const CorpusWork& work, const std::function<Status(const ArchiveCheck&)>& take) {
  return ForEachInOrder<ArchiveCheck>(
      entries.size(), work,
      [&](size_t i) {
        auto results =
            CheckArchive(corpus.ArchiveOf(entries[i]), rules, options, work.memory_of_each());
        return ArchiveCheck{entries[i], results ? *std::move(results) : std::vector<RuleResult>(),
                            results ? "" : results.error().ToString()};
      },
      [&](size_t, const ArchiveCheck& check) { return take(check); });
}

void CorpusCheckText::Add(const ArchiveCheck& check) {
  const CheckCounts counts = Count(check.results);
  const bool asked = check.error.empty();
  clean_ += asked && counts.fail + counts.errors == 0;
  const auto number = [&](size_t n) { return asked ? Value(int64_t(n)) : Value(); };
  table_.rows.push_back({check.entry.name, number(counts.hold), number(counts.fail + counts.errors),
                         number(counts.not_applicable), asked ? Failing(check) : check.error});
}

std::string CorpusCheckText::Text(size_t terminal_width) const {
  return fmt::format("{}{} archives: all rules hold in {}\n", ToTextTable(table_, {terminal_width}),
                     table_.rows.size(), clean_);
}

std::string CorpusCheckJson::Add(const ArchiveCheck& check) {
  using nlohmann::ordered_json;
  ordered_json object = {{"archive", check.entry.name}, {"digest", check.entry.digest}};
  if (!check.error.empty()) object["error"] = check.error;
  object["rules"] = ordered_json::parse(ToJson(check.results));
  const std::string dumped = object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string text = std::exchange(begun_, true) ? "," : "[";
  for (const std::string_view line : LinesOf(dumped)) text += fmt::format("\n  {}", line);
  return text;
}

std::string CorpusCheckJson::End() const { return begun_ ? "\n]\n" : "[]\n"; }

std::vector<CaseResult> ForCi(const ArchiveCheck& check, Severity fail_on) {
  if (check.error.empty()) return ForCi(check.results, check.entry.name, fail_on);
  CaseResult ci;
  ci.group = check.entry.name;
  ci.name = "archive";
  ci.outcome = CaseResult::Outcome::kError;
  ci.type = "error";
  ci.message = check.error;
  return {std::move(ci)};
}

}  // namespace ktstr
