#include <fmt/format.h>

#include <algorithm>

#include "capture/scenario/scenario_sections.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

TriggerSpec Default(TriggerKind kind) {
  TriggerSpec spec = {.kind = kind};
  // A host that is short of CPUs keeps a guest waiting for seconds.
  if (kind == TriggerKind::kSilent) spec.over = std::chrono::seconds(20);
  spec.fails = kind != TriggerKind::kRequest && kind != TriggerKind::kPeriodic &&
               kind != TriggerKind::kPhase;
  return spec;
}

void ReadKeys(TomlTable& table, const TriggerEntry& entry, TriggerSpec* spec) {
  for (std::string_view key : SplitWords(entry.keys)) {
    if (key.ends_with('*')) {
      key.remove_suffix(1);
      table.Require(key);
    }
    if (key == "over" || key == "every") {
      table.Read(key, &spec->over);
      if (table.Has(key) && spec->over.count() <= 0) {
        table.Complain(key, fmt::format("'{}' of a trigger must be more than 0", key));
      }
    } else if (key == "after") {
      table.Read(key, &spec->over);
    } else if (key == "part") {
      table.Read(key, &spec->part);
      if (!(spec->part > 0 && spec->part <= 1)) {
        table.Complain(key, "'part' of a trigger is more than 0 and at most 1");
      }
    } else if (key == "size") {
      table.Read(key, &spec->size, 1, 8);
      if ((spec->size & (spec->size - 1)) != 0) table.Complain(key, "'size' is 1, 2, 4 or 8");
    } else {
      table.Read(key, key == "symbol"  ? &spec->symbol
                      : key == "phase" ? &spec->phase
                                       : &spec->worker);
    }
  }
}

void ReadTrigger(TomlTable& table, const std::vector<std::string_view>& names, Scenario* scenario,
                 SectionLines* lines) {
  size_t index = names.size();
  table.Require("on");
  table.ReadWord("on", names, &index);
  if (index == names.size()) return;
  const TriggerEntry& entry = kTriggerCatalog[index];
  TriggerSpec spec = Default(entry.kind);
  ReadKeys(table, entry, &spec);
  table.Read("fails", &spec.fails);
  table.Read("most", &spec.most, 1, 10'000);
  table.Finish();
  lines->triggers.emplace_back(table.line(), spec);
  // One that is always armed is there already.
  const auto same = std::ranges::find(scenario->triggers, spec.kind, &TriggerSpec::kind);
  if (entry.always && same != scenario->triggers.end()) {
    *same = spec;
  } else {
    scenario->triggers.push_back(spec);
  }
}

}  // namespace

void ReadTriggers(TomlTable& root, Scenario* scenario, SectionLines* lines) {
  std::vector<std::string_view> names;
  for (const TriggerEntry& entry : kTriggerCatalog) {
    names.push_back(entry.name);
    if (entry.always) scenario->triggers.push_back(Default(entry.kind));
  }
  for (TomlTable& table : root.Tables("trigger")) ReadTrigger(table, names, scenario, lines);
}

}  // namespace ktstr
