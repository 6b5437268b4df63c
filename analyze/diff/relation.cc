#include "analyze/diff/relation.h"

#include <fmt/format.h>

#include <array>

#include "analyze/text/output.h"

namespace ktstr {

namespace {

struct Trait {
  const char* name;
  const char* sql;  // of schema {0}
};

std::array<Trait, 6> Traits() {
  return {{{"kernel release", "(SELECT value FROM {0}.machine WHERE key = 'release')"},
           {"kernel build id", "(SELECT value FROM {0}.machine WHERE key = 'build_id')"},
           {"KASLR offset", "(SELECT value FROM {0}.machine WHERE key = 'kaslr_offset')"},
           {"direct map", "(SELECT value FROM {0}.machine WHERE key = 'page_offset')"},
           {"address of init", "(SELECT min(task_kva) FROM {0}.task WHERE pid = 1)"},
           {"start of init", "(SELECT min(start_time_ns) || ' ns' FROM {0}.task WHERE pid = 1)"}}};
}

// By the clock of the run queue that was updated last; where there is none, by jiffies.
constexpr const char* kElapsed =
    "SELECT coalesce((SELECT max(clock_ns) FROM b.cpu) - (SELECT max(clock_ns) FROM a.cpu), "
    "(SELECT value FROM b.machine WHERE key = 'uptime_ns') - "
    "(SELECT value FROM a.machine WHERE key = 'uptime_ns'))";

bool IsNull(const Value& value) { return std::holds_alternative<std::monostate>(value); }

}  // namespace

Result<Relation> RelationOf(const Database& both) {
  Relation relation;
  for (const Trait& trait : Traits()) {
    const QueryResult values =
        KTSTR_TRY(both.Query(fmt::format("SELECT {}, {}", fmt::format(fmt::runtime(trait.sql), "a"),
                                         fmt::format(fmt::runtime(trait.sql), "b"))));
    const Value &before = values.rows[0][0], &after = values.rows[0][1];
    if (IsNull(before) || IsNull(after)) continue;
    if (before != after) {
      relation.why = fmt::format("{} {} in the first, {} in the second", trait.name,
                                 ToDisplay(before), ToDisplay(after));
      return relation;
    }
    relation.why += (relation.why.empty() ? "same " : ", ") + std::string(trait.name);
  }
  // Neither the same build nor the same place alone says that it booted once.
  if (KTSTR_TRY(both.Query("SELECT 1 FROM a.task x JOIN b.task y ON x.pid = 1 AND y.pid = 1 AND "
                           "x.start_time_ns = y.start_time_ns"))
          .rows.empty()) {
    relation.why = "no task init that is known to be the same";
    return relation;
  }
  relation.one_run = true;
  const QueryResult elapsed = KTSTR_TRY(both.Query(kElapsed));
  if (const auto* ns = std::get_if<int64_t>(&elapsed.rows[0][0])) relation.elapsed_ns = *ns;
  return relation;
}

}  // namespace ktstr
