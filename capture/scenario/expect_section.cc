#include "capture/scenario/scenario_sections.h"

namespace ktstr {

namespace {

void ReadOfWorker(TomlTable& table, Expectation* expectation) {
  if (table.Has("max_gap")) table.Read("max_gap", &expectation->max_gap.emplace());
  if (table.Has("min_rounds_per_s")) {
    table.Read("min_rounds_per_s", &expectation->min_rounds_per_s.emplace());
  }
  if (table.Has("max_spread")) table.Read("max_spread", &expectation->max_spread.emplace());
  if (!expectation->max_gap && !expectation->min_rounds_per_s && !expectation->max_spread) {
    table.Report(table.line(),
                 "[[expect]] of a worker needs 'max_gap', 'min_rounds_per_s' or 'max_spread'");
  }
}

void ReadOfQuery(TomlTable& table, Expectation* expectation) {
  constexpr std::string_view kRows[] = {"none", "some"};
  size_t rows = 0;
  table.ReadWord("rows", kRows, &rows);
  expectation->wants_rows = rows == 1;
}

}  // namespace

void ReadExpectations(TomlTable& root, Scenario* scenario) {
  for (TomlTable& table : root.Tables("expect")) {
    Expectation& expectation = scenario->expectations.emplace_back();
    expectation.line = table.line();
    table.Read("worker", &expectation.worker);
    table.Read("sql", &expectation.sql);
    table.Read("message", &expectation.message);
    if (expectation.worker.empty() == expectation.sql.empty()) {
      table.Report(table.line(), "[[expect]] needs either a 'worker' or 'sql'");
    } else if (!expectation.worker.empty()) {
      ReadOfWorker(table, &expectation);
    } else {
      ReadOfQuery(table, &expectation);
    }
    table.Finish();
  }
}

}  // namespace ktstr
