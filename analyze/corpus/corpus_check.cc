#include "analyze/corpus/corpus_check.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "analyze/corpus/archive_index.h"
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

std::vector<ArchiveCheck> CheckCorpus(const Corpus& corpus, const std::vector<CorpusEntry>& entries,
                                      const std::vector<Rule>& rules, const CheckOptions& options,
                                      const CorpusWork& work,
                                      const std::function<void(const ArchiveCheck&)>& done) {
  std::vector<ArchiveCheck> checks;
  const Status all = ForEachInOrder<ArchiveCheck>(
      entries.size(), work,
      [&](size_t i) {
        auto results =
            CheckArchive(corpus.ArchiveOf(entries[i]), rules, options, work.memory_of_each());
        return ArchiveCheck{entries[i], results ? *std::move(results) : std::vector<RuleResult>(),
                            results ? "" : results.error().ToString()};
      },
      [&](size_t, ArchiveCheck check) -> Status {
        if (done) done(check);
        checks.push_back(std::move(check));
        return {};
      });
  (void)all;  // taking a result cannot fail
  return checks;
}

std::string ToText(const std::vector<ArchiveCheck>& checks, size_t terminal_width) {
  QueryResult table{{"archive", "hold", "fail", "not_applicable", "failing"}, {}};
  size_t clean = 0;
  for (const ArchiveCheck& check : checks) {
    const CheckCounts counts = Count(check.results);
    const bool asked = check.error.empty();
    clean += asked && counts.fail + counts.errors == 0;
    const auto number = [&](size_t n) { return asked ? Value(int64_t(n)) : Value(); };
    table.rows.push_back({check.entry.name, number(counts.hold),
                          number(counts.fail + counts.errors), number(counts.not_applicable),
                          asked ? Failing(check) : check.error});
  }
  return fmt::format("{}{} archives: all rules hold in {}\n", ToTextTable(table, {terminal_width}),
                     checks.size(), clean);
}

std::string ToJson(const std::vector<ArchiveCheck>& checks) {
  using nlohmann::ordered_json;
  ordered_json list = ordered_json::array();
  for (const ArchiveCheck& check : checks) {
    ordered_json object = {{"archive", check.entry.name}, {"digest", check.entry.digest}};
    if (!check.error.empty()) object["error"] = check.error;
    object["rules"] = ordered_json::parse(ToJson(check.results));
    list.push_back(std::move(object));
  }
  return list.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<CaseResult> ForCi(const std::vector<ArchiveCheck>& checks, Severity fail_on) {
  std::vector<CaseResult> cases;
  for (const ArchiveCheck& check : checks) {
    if (!check.error.empty()) {
      CaseResult& ci = cases.emplace_back();
      ci.group = check.entry.name;
      ci.name = "archive";
      ci.outcome = CaseResult::Outcome::kError;
      ci.type = "error";
      ci.message = check.error;
    }
    for (CaseResult& ci : ForCi(check.results, check.entry.name, fail_on)) {
      cases.push_back(std::move(ci));
    }
  }
  return cases;
}

}  // namespace ktstr
