// ktstr-analyze FILE maps [MAP] and progs: BPF objects.
#include <fmt/format.h>

#include <algorithm>

#include "analyze/command/command.h"
#include "analyze/index/sql_functions.h"
#include "analyze/text/output.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

constexpr const char* kMapsText =
    "SELECT id, name, type, key_size, value_size, max_entries, entries, memory_bytes FROM bpf_map "
    "ORDER BY id";
constexpr const char* kProgsText =
    "SELECT id, name, type, attached_to, run_cnt, run_time_ns, insn_cnt, jited_bytes FROM bpf_prog "
    "ORDER BY id";

bool IsNumber(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return '0' <= c && c <= '9'; });
}

// Values of the map of that id, or of all maps of that name.
Result<std::string> MapValues(Session& session, const std::string& map) {
  const std::string which = IsNumber(map) ? "id = " + map : "name = " + Quoted(map);
  const Database* index = KTSTR_TRY(session.Index());
  const QueryResult found = KTSTR_TRY(index->Query("SELECT id FROM bpf_map WHERE " + which));
  if (found.rows.empty()) {
    const QueryResult all = KTSTR_TRY(index->Query("SELECT name FROM bpf_map ORDER BY id"));
    std::vector<std::string> names;
    for (const auto& row : all.rows) names.push_back(ToDisplay(row[0]));
    const std::vector<std::string_view> views(names.begin(), names.end());
    return Fail(ErrorCode::kInvalidArgument, UnknownWord("map", map, views));
  }
  return session.Answer(
      fmt::format("SELECT {} FROM bpf_map_value WHERE map_id IN (SELECT id FROM bpf_map WHERE {})",
                  session.json() ? "*" : "map_id, cpu, pid, key, value", which));
}

void DeclareMaps(Options* maps, Command* chosen) {
  auto map = std::make_shared<std::string>();
  maps->Add("MAP", map.get(), "Its id or name").TypeName("");
  maps->OnChosen([chosen, map] {
    *chosen = [map](Session& session) -> Result<std::string> {
      if (!map->empty()) return MapValues(session, *map);
      return session.Answer(session.json() ? "SELECT * FROM bpf_map ORDER BY id" : kMapsText);
    };
  });
}

void DeclareProgs(Options* progs, Command* chosen) {
  progs->OnChosen([chosen] {
    *chosen = [](Session& session) {
      return session.Answer(session.json() ? "SELECT * FROM bpf_prog ORDER BY id" : kProgsText);
    };
  });
}

}  // namespace

void AddBpfCommands(Options* app, Command* chosen) {
  app->AddSubcommand("maps", "BPF maps; with MAP the values in one",
                     [chosen](Options* maps) { DeclareMaps(maps, chosen); });
  app->AddSubcommand("progs", "BPF programs: what they are attached to, how often they ran",
                     [chosen](Options* progs) { DeclareProgs(progs, chosen); });
}

}  // namespace ktstr
