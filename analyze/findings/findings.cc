#include "analyze/findings/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>

#include "analyze/findings/verdict.h"
#include "analyze/index/cells.h"
#include "libcore/base/quantity.h"

namespace ktstr {

namespace {

using nlohmann::json;

// A rule that finds more names the first of them and says how many more there are.
constexpr size_t kMaxFindingsPerRule = 100;
// Of rules that find no cause.
constexpr int64_t kSymptomRank = 100;

size_t OrderOf(const std::string& severity) {
  constexpr std::array<std::string_view, 3> kSeverities = {"error", "warning", "info"};
  return static_cast<size_t>(std::find(kSeverities.begin(), kSeverities.end(), severity) -
                             kSeverities.begin());
}

// A finding before it has its place among the others.
struct Found {
  FindingRow row;
  int64_t depth = kSymptomRank;
  std::string about;                  // "task:47"; empty: nothing that a cause could name
  std::vector<std::string> explains;  // the same for what is so because of it
  const Found* cause = nullptr;
};

// What the first row of evidence is about.
std::string AboutOf(const std::string& evidence) {
  static const std::map<std::string, std::string> kKeys = {
      {"task", "pid"},      {"cpu", "cpu"},     {"dsq", "dsq_kva"},
      {"scx", "scheduler"}, {"cgroup", "path"}, {"lock_wait", "lock_kva"}};
  const json rows = json::parse(evidence, nullptr, /*allow_exceptions=*/false);
  if (!rows.is_array() || rows.empty() || !rows[0].is_object()) return "";
  const std::string table = rows[0].value("table", "");
  if (table == "log") return table;
  const auto key = kKeys.find(table);
  if (key == kKeys.end() || !rows[0].contains(key->second)) return "";
  const json& value = rows[0][key->second];
  return fmt::format("{}:{}", table, value.is_string() ? value.get<std::string>() : value.dump());
}

std::vector<std::string> NamesIn(const std::string& array) {
  std::vector<std::string> names;
  const json parsed = json::parse(array, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_array()) return names;
  for (const json& name : parsed) {
    if (name.is_string()) names.push_back(name.get<std::string>());
  }
  return names;
}

int64_t RankOf(const FindingRule& rule) {
  const std::string_view text = HeaderOf(rule, "rank");
  int64_t rank = kSymptomRank;
  std::from_chars(text.data(), text.data() + text.size(), rank);
  return rank;
}

Status Run(const FindingRule& rule, const Database& index, std::vector<Found>& all) {
  const auto found = index.Query(std::string(rule.text));
  if (!found) {
    return Fail(found.error().code(),
                fmt::format("the rule {}: {}", rule.name, found.error().ToString()));
  }
  const auto column = [&](std::string_view name) {
    return static_cast<size_t>(std::ranges::find(found->columns, name) - found->columns.begin());
  };
  const size_t severity = column("severity"), subject = column("subject"),
               detail = column("detail"), evidence = column("evidence"),
               sentence = column("sentence"), certainty = column("certainty"),
               explains = column("explains"), rank = column("rank");
  const int64_t own_rank = RankOf(rule);
  const size_t shown = std::min(found->rows.size(), kMaxFindingsPerRule);
  for (size_t i = 0; i < shown; ++i) {
    const auto& row = found->rows[i];
    const auto text = [&](size_t at) { return at < row.size() ? TextOf(row[at]) : std::string(); };
    Found& each = all.emplace_back();
    each.depth = rank < row.size() && std::holds_alternative<int64_t>(row[rank])
                     ? IntegerOf(row[rank])
                     : own_rank;
    each.row = {.rule = std::string(rule.name),
                .severity = text(severity),
                .subject = text(subject),
                .detail = text(detail),
                .sentence = text(sentence),
                .certainty = text(certainty),
                .evidence = text(evidence)};
    if (each.row.sentence.empty()) {
      each.row.sentence = fmt::format("{}: {}", each.row.subject, each.row.detail);
    }
    if (each.row.certainty.empty()) each.row.certainty = "certain";
    each.about = AboutOf(each.row.evidence);
    each.explains = NamesIn(text(explains));
  }
  if (shown == found->rows.size()) return {};
  Found& others = all.emplace_back();
  const std::string more = fmt::format("{} more like these", found->rows.size() - shown);
  others.depth = own_rank;
  others.row = {.rule = std::string(rule.name),
                .severity = TextOf(found->rows[shown][severity]),
                .subject = "others",
                .detail = more,
                .sentence = more,
                .certainty = "certain",
                .evidence = "[]"};
  return {};
}

// A finding is there because of the deepest cause that names what it is about. Only a deeper one
// explains another, so that nothing explains itself.
void Explain(std::vector<Found>& all) {
  std::map<std::string_view, const Found*> causes;
  for (const Found& each : all) {
    for (const std::string& name : each.explains) {
      const Found*& cause = causes[name];
      if (cause == nullptr || each.depth < cause->depth) cause = &each;
    }
  }
  for (Found& each : all) {
    const auto cause = causes.find(each.about);
    if (cause != causes.end() && cause->second->depth < each.depth) each.cause = cause->second;
  }
  // What a rule found too often to name goes with those that it named.
  for (Found& each : all) {
    if (each.row.subject != "others") continue;
    const auto first =
        std::ranges::find(all, each.row.rule, [](const Found& f) { return f.row.rule; });
    if (first->cause != nullptr) each.cause = first->cause;
  }
}

}  // namespace

const RowTable<FindingRow>& FindingRow::Table() {
  using R = FindingRow;
  static const RowTable<R> table(
      "finding",
      "What is wrong, by rules over the other tables: causes first, errors before warnings, each "
      "followed by what it explains.",
      {
          Col<&R::rank>("rank", "", "Place in that order, from 1."),
          Col<&R::rule>("rule", "", "Name of the rule."),
          Col<&R::severity>("severity", "", "error, warning or info."),
          Col<&R::subject>("subject", "", "Whom or what it is about."),
          Col<&R::detail>("detail", "", "What was found."),
          Col<&R::sentence>("sentence", "", "Both in one sentence."),
          Col<&R::certainty>("certainty", "",
                             "certain: the memory shows it; likely: nothing else is known to look "
                             "like this; possible: a suspicion."),
          Col<&R::explained_by>("explained_by", "",
                                "Rank of the finding that is its cause; NULL where none is known."),
          Col<&R::evidence>("evidence", "JSON",
                            "The rows that show it: a JSON array of objects, each with the name "
                            "of its table and values of its columns."),
      });
  return table;
}

const std::vector<FindingRule>& FindingRules() {
  static const std::vector<FindingRule> rules = {
#include "finding_rules.inc"
  };
  return rules;
}

std::string_view HeaderOf(const FindingRule& rule, std::string_view key) {
  const std::string begin = fmt::format("-- {}: ", key);
  std::string_view text = rule.text;
  while (text.starts_with("--")) {
    const std::string_view line = text.substr(0, text.find('\n'));
    if (line.starts_with(begin)) return line.substr(begin.size());
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return {};
}

std::string CountedName(std::string_view rule, int64_t count) {
  const auto found = std::ranges::find(FindingRules(), rule, &FindingRule::name);
  const std::string_view names =
      found == FindingRules().end() ? std::string_view() : HeaderOf(*found, "counted");
  const size_t comma = names.find(", ");
  if (comma == names.npos) return fmt::format("{} {}", count, rule);
  return fmt::format("{} {}", count, count == 1 ? names.substr(0, comma) : names.substr(comma + 2));
}

bool RanWhileRead(const Database& index) {
  const auto rows =
      index.Query("SELECT 1 FROM machine WHERE key = 'ran_while_read' AND value IS NOT NULL");
  return rows && !rows->rows.empty();
}

Status AddFindings(Database& index) {
  std::vector<Found> all;
  const bool ran = RanWhileRead(index);
  for (const FindingRule& rule : FindingRules()) {
    if (ran && !HeaderOf(rule, "still").empty()) continue;
    KTSTR_TRY(Run(rule, index, all));
  }
  for (Found& each : all) {
    if (ran && each.row.certainty == "certain") each.row.certainty = "likely";
  }
  Explain(all);
  const auto before = [](const Found* a, const Found* b) {
    const auto key = [](const Found* f) { return std::tuple(OrderOf(f->row.severity), f->depth); };
    return key(a) < key(b);
  };
  // Causes that nothing explains, and below each what it explains.
  std::map<const Found*, std::vector<const Found*>> effects;
  for (const Found& each : all) effects[each.cause].push_back(&each);
  for (auto& [cause, those] : effects) std::ranges::stable_sort(those, before);
  RowSet<FindingRow> findings;
  const auto add = [&](const auto& self, const Found* cause, std::optional<int64_t> rank) -> void {
    for (const Found* each : effects[cause]) {
      FindingRow& row = findings.rows.emplace_back(each->row);
      row.rank = static_cast<int64_t>(findings.rows.size());
      row.explained_by = rank;
      self(self, each, row.rank);
    }
  };
  add(add, nullptr, std::nullopt);
  RowSet<VerdictRow> verdict;
  verdict.rows.push_back(KTSTR_TRY(VerdictOver(findings.rows, index)));
  KTSTR_TRY(index.AddTable(findings));
  return index.AddTable(verdict);
}

}  // namespace ktstr
