#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/guest/worker_catalog.h"
#include "capture/scenario/scenario_sections.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

std::vector<std::string_view> KindNames() {
  std::vector<std::string_view> names;
  for (const guest::WorkerEntry& entry : guest::kWorkerCatalog) names.push_back(entry.name);
  return names;
}

void ReadWorker(TomlTable& table, Scenario* scenario) {
  WorkerSpec& worker = scenario->workers.emplace_back();
  table.Require("kind");
  table.Read("kind", &worker.kind);
  worker.name = worker.kind;
  table.Read("name", &worker.name);
  table.Read("count", &worker.count, 1, 65'536);
  const guest::WorkerEntry* entry = guest::FindWorkerEntry(worker.kind);
  if (entry == nullptr) {
    return table.Complain("kind", UnknownWord("worker kind", worker.kind, KindNames()));
  }
  ReadTaskSetting(table, &*worker.parameters);
  for (const std::string_view words : {guest::kCommonWorkerParameters, entry->parameters}) {
    for (const std::string_view name : SplitWords(words)) {
      int64_t value = 0;
      const bool tasks = name == "tasks";
      table.Read(name, &value, tasks ? entry->tasks : 0, tasks ? 65'536 : INT64_MAX);
      if (table.Has(name)) (*worker.parameters)[std::string(name)] = value;
    }
  }
  table.Finish();
}

}  // namespace

void ReadWorkers(TomlTable& root, Scenario* scenario) {
  for (TomlTable& table : root.Tables("worker")) ReadWorker(table, scenario);
}

}  // namespace ktstr
