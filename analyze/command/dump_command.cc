// ktstr-analyze FILE dump [--markdown]
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "analyze/command/command.h"
#include "analyze/text/scx_dump.h"
#include "analyze/text/tracker_text.h"

namespace ktstr {

namespace {

std::string Json(const std::vector<ScxDump>& dumps) {
  auto all = nlohmann::ordered_json::array();
  for (const ScxDump& dump : dumps) {
    all.push_back(
        {{"scheduler", dump.scheduler}, {"ops_name", dump.ops_name}, {"lines", dump.lines}});
  }
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

Result<std::string> Dump(Session& session, bool markdown) {
  const Database* index = KTSTR_TRY(session.Index());
  const auto dumps = KTSTR_TRY(ScxDumps(*index, *KTSTR_TRY(session.Memory())));
  if (markdown) return TrackerText(*index, dumps);
  if (session.json()) return Json(dumps);
  if (dumps.empty()) {
    return Fail(ErrorCode::kNotFound,
                "no scheduler of sched_ext's is loaded: there is nothing to dump "
                "('tasks', 'rq' and 'cpus' show what other classes do)");
  }
  return DumpText(dumps);
}

void DeclareDump(Options* dump, Command* chosen) {
  auto markdown = std::make_shared<bool>(false);
  dump->Add("--markdown", markdown.get(),
            "A block for an issue tracker: the verdict, the machine, the scheduler, the dump, the "
            "end of the log");
  dump->SetFooter("Lines that begin with '#' are not the kernel's. '?' is what is not known.");
  dump->OnChosen([chosen, markdown] {
    *chosen = [markdown](Session& session) { return Dump(session, *markdown); };
  });
}

}  // namespace

void AddDumpCommand(Options* app, Command* chosen) {
  app->AddSubcommand("dump", "sched_ext in the layout of the kernel's own debug dump (SysRq-D)",
                     [chosen](Options* dump) { DeclareDump(dump, chosen); });
}

}  // namespace ktstr
