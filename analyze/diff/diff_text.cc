#include "analyze/diff/diff_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>

#include "analyze/text/output.h"
#include "analyze/text/wrap.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using nlohmann::ordered_json;

constexpr size_t kShownOfPart = 40;
constexpr size_t kShownOfCounter = 8;
constexpr size_t kShownContents = 10;

const DiffPartInfo& InfoOf(DiffPart part) { return kDiffParts.at(static_cast<size_t>(part)); }

std::string Indented(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    out += "  " + text.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::string TableText(const QueryResult& rows, size_t max_width) {
  return Indented(ToTextTable(rows, {max_width > 2 ? max_width - 2 : 0}));
}

// "2 appeared, 1 gone, 5 changed".
std::string Summary(const std::vector<Difference>& differences) {
  std::string text;
  for (const std::string_view change : {"appeared", "gone", "changed"}) {
    const auto count = std::count_if(differences.begin(), differences.end(),
                                     [&](const Difference& d) { return d.change == change; });
    if (count != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, change);
  }
  return text.empty() ? "no difference" : text;
}

std::string MoreText(size_t all, size_t shown) {
  return all == shown ? "" : fmt::format("  and {} more (--json has all)\n", all - shown);
}

Value PerSecond(const Difference& difference) {
  if (!difference.per_second) return {};
  return fmt::format("{:.6g}", *difference.per_second);
}

std::string DifferencesText(const std::vector<Difference>& differences, size_t max_width) {
  if (differences.empty()) return "";
  const bool speeds = std::any_of(differences.begin(), differences.end(),
                                  [](const Difference& d) { return d.per_second.has_value(); });
  QueryResult rows{{"change", "what", "of it", "before", "after"}, {}};
  if (speeds) rows.columns.push_back("per second");
  for (const Difference& d : differences) {
    if (rows.rows.size() == kShownOfPart) break;
    auto& row = rows.rows.emplace_back();
    row = {d.change, d.subject, d.field.empty() ? Value() : Value(d.field), d.before, d.after};
    if (speeds) row.push_back(PerSecond(d));
  }
  return TableText(rows, max_width) + MoreText(differences.size(), rows.rows.size());
}

// The first of each counter.
std::string CountersText(const std::vector<Difference>& counters, size_t max_width) {
  if (counters.empty()) return "";
  QueryResult rows{{"counter", "of", "before", "after", "difference", "per second"}, {}};
  std::string last;
  size_t of_this = 0;
  for (const Difference& d : counters) {
    const std::string key = d.field + d.subject.substr(0, d.subject.find(' '));
    of_this = key == last ? of_this + 1 : 1;
    last = key;
    if (of_this > kShownOfCounter) continue;
    rows.rows.push_back({d.field, d.subject, d.before, d.after, *d.delta, PerSecond(d)});
  }
  return TableText(rows, max_width) + MoreText(counters.size(), rows.rows.size());
}

// The contents of which most bytes differ, kind by kind.
std::string ContentsText(const MemoryDifference& memory, size_t max_width) {
  std::map<std::string, std::vector<std::pair<uint64_t, std::string>>> by_kind;
  for (const auto& [content, bytes] : memory.bytes_by_content) {
    if (!content.second.empty()) by_kind[content.first].push_back({bytes, content.second});
  }
  std::string text;
  for (auto& [kind, contents] : by_kind) {
    std::sort(contents.begin(), contents.end(), std::greater<>());
    QueryResult rows{{"bytes", "what"}, {}};
    for (size_t i = 0; i < std::min(contents.size(), kShownContents); ++i) {
      rows.rows.push_back({static_cast<int64_t>(contents[i].first), contents[i].second});
    }
    text += fmt::format("  {}: {} changed\n", kind, contents.size()) +
            Indented(TableText(rows, max_width > 2 ? max_width - 2 : 0)) +
            (contents.size() > rows.rows.size() ? "  " + MoreText(contents.size(), rows.rows.size())
                                                : "");
  }
  return text;
}

std::string MemoryText(const MemoryDifference& memory, size_t max_width) {
  std::string text = fmt::format(
      "\nMemory: {} pages changed ({} were zero, {} became zero), {} are the same, {} not "
      "comparable\n",
      memory.changed, memory.was_zero, memory.became_zero, memory.same, memory.not_comparable);
  for (const auto& [fate, pages] : memory.not_comparable_by_fate) {
    text += fmt::format("  not comparable: {} pages {}\n", pages, fate);
  }
  if (memory.changed == 0) return text;
  QueryResult kinds{{"pages", "hold"}, {}};
  for (const auto& [kind, pages] : memory.pages_by_kind) {
    kinds.rows.push_back({static_cast<int64_t>(pages), kind});
  }
  std::sort(kinds.rows.begin(), kinds.rows.end(), std::greater<>());
  return text + TableText(kinds, max_width) + ContentsText(memory, max_width);
}

std::string RelationText(const Relation& relation) {
  if (!relation.one_run) return fmt::format("different ones: {}", SafeText(relation.why));
  const std::string apart = relation.elapsed_ns
                                ? fmt::format("{:.6f} s apart by the guest's clock",
                                              static_cast<double>(*relation.elapsed_ns) / 1e9)
                                : "an unknown time apart";
  return fmt::format("one, {}: {}", apart, SafeText(relation.why));
}

ordered_json ToJsonValue(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return nullptr;
}

ordered_json ToJsonArray(const std::vector<Difference>& differences) {
  ordered_json array = ordered_json::array();
  for (const Difference& d : differences) {
    ordered_json object = {{"change", d.change}, {"subject", d.subject}};
    if (!d.field.empty()) object["field"] = d.field;
    object["before"] = ToJsonValue(d.before);
    object["after"] = ToJsonValue(d.after);
    if (d.delta) object["difference"] = *d.delta;
    if (d.per_second) object["per_second"] = *d.per_second;
    array.push_back(std::move(object));
  }
  return array;
}

ordered_json ToJsonObject(const MemoryDifference& memory) {
  ordered_json contents = ordered_json::array();
  for (const auto& [content, bytes] : memory.bytes_by_content) {
    contents.push_back({{"kind", content.first}, {"name", content.second}, {"bytes", bytes}});
  }
  return {{"changed_pages", memory.changed},
          {"was_zero_pages", memory.was_zero},
          {"became_zero_pages", memory.became_zero},
          {"same_pages", memory.same},
          {"not_comparable_pages", memory.not_comparable},
          {"not_comparable_pages_by_fate", memory.not_comparable_by_fate},
          {"changed_pages_by_kind", memory.pages_by_kind},
          {"changed_contents", std::move(contents)}};
}

}  // namespace

std::string DiffText(const ArchiveDiff& diff, size_t max_width) {
  const auto line = [max_width](const std::string& text) {
    return Wrapped(text, max_width, 10) + "\n";
  };
  std::string text = line(
      fmt::format("before    {}, frozen {}", SafeText(diff.before.name), diff.before.captured_at));
  text += line(
      fmt::format("after     {}, frozen {}", SafeText(diff.after.name), diff.after.captured_at));
  text += line("run       " + RelationText(diff.relation));
  for (const ArchiveDiff::Table& table : diff.tables) {
    const bool counters = table.part == DiffPart::kCounters;
    text += fmt::format("\n{}: {}\n", InfoOf(table.part).title,
                        table.not_compared.empty() ? Summary(table.differences)
                                                   : "not compared, " + table.not_compared);
    text += counters ? CountersText(table.differences, max_width)
                     : DifferencesText(table.differences, max_width);
  }
  if (diff.memory) return text + MemoryText(*diff.memory, max_width);
  if (diff.memory_not_compared.empty()) return text;
  return text + fmt::format("\nMemory: not compared, {}\n", SafeText(diff.memory_not_compared));
}

std::string DiffJson(const ArchiveDiff& diff) {
  ordered_json json = {
      {"before", {{"archive", diff.before.name}, {"captured_at", diff.before.captured_at}}},
      {"after", {{"archive", diff.after.name}, {"captured_at", diff.after.captured_at}}},
      {"one_run", diff.relation.one_run},
      {"why", diff.relation.why},
      {"elapsed_ns", nullptr}};
  if (diff.relation.elapsed_ns) json["elapsed_ns"] = *diff.relation.elapsed_ns;
  for (const ArchiveDiff::Table& table : diff.tables) {
    json[std::string(InfoOf(table.part).name)] =
        table.not_compared.empty() ? ToJsonArray(table.differences) : ordered_json(nullptr);
  }
  if (diff.memory) json["memory"] = ToJsonObject(*diff.memory);
  if (!diff.memory_not_compared.empty()) json["memory"] = nullptr;
  return json.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr
