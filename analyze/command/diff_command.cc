// ktstr-analyze FILE diff OTHER [--only PART,…]
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analyze/command/command.h"
#include "analyze/diff/diff.h"
#include "analyze/diff/diff_text.h"
#include "analyze/text/output.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

struct DiffArguments {
  std::vector<std::string> archives;  // the other one; or both, where FILE is not before "diff"
  std::vector<std::string> only;
};

Result<std::set<DiffPart>> PartsOf(const std::vector<std::string>& names) {
  std::set<DiffPart> parts;
  std::vector<std::string_view> all;
  for (const DiffPartInfo& info : kDiffParts) {
    all.push_back(info.name);
    if (names.empty()) parts.insert(info.part);
  }
  for (const std::string& name : names) {
    const auto info = std::find_if(kDiffParts.begin(), kDiffParts.end(),
                                   [&](const DiffPartInfo& i) { return i.name == name; });
    if (info == kDiffParts.end()) {
      return Fail(ErrorCode::kInvalidArgument, UnknownWord("part", name, all));
    }
    parts.insert(info->part);
  }
  return parts;
}

Result<std::string> Diff(Session& session, const DiffArguments& arguments) {
  if (session.arguments().live) {
    return Fail(ErrorCode::kInvalidArgument,
                "archives are compared, not a machine that runs: 'ktstr-capture --host -o NOW.kts' "
                "makes one of it");
  }
  CommonArguments before_arguments = session.arguments(), after_arguments = session.arguments();
  if (arguments.archives.size() == 2) {
    if (!session.arguments().archive.empty()) {
      return Fail(ErrorCode::kInvalidArgument, "two archives can be compared, not three");
    }
    before_arguments.archive = arguments.archives.front();
  }
  after_arguments.archive = arguments.archives.back();
  before_arguments.memory = after_arguments.memory = session.arguments().memory.Shared(2);
  const std::set<DiffPart> parts = KTSTR_TRY(PartsOf(arguments.only));
  Session before(before_arguments), after(after_arguments);
  const auto side = [](Session& one) -> Result<DiffSide> {
    const Database* index = KTSTR_TRY(one.Index());
    FrozenMachine* machine = KTSTR_TRY(one.Memory())->machine().frozen();
    return DiffSide{one.arguments().archive, index, machine};
  };
  const DiffSide first = KTSTR_TRY(side(before)), second = KTSTR_TRY(side(after));
  const ArchiveDiff diff = KTSTR_TRY(CompareArchives(first, second, parts));
  for (Session* one : {&before, &after}) {
    KTSTR_TRY(one->Settle());
    session.TakeOver(*one);
  }
  if (diff.differs()) session.set_exit_code(ExitCode::kAnswerIsNo);
  return session.json() ? DiffJson(diff) : DiffText(diff, TerminalWidth());
}

std::vector<std::string> PartNames() {
  std::vector<std::string> names;
  for (const DiffPartInfo& info : kDiffParts) names.emplace_back(info.name);
  return names;
}

void DeclareDiff(Options* diff, Command* chosen) {
  auto arguments = std::make_shared<DiffArguments>();
  diff->Add("OTHER", &arguments->archives, "The other archive; the later one of a run")
      .Required()
      .Count(1, 2)
      .TypeName("")
      .Files(".kts");
  diff->Add("--only", &arguments->only,
            "Compare these parts: tasks, queues, scx, maps, counters, memory")
      .Delimiter(',')
      .TypeName("PART,…")
      .Offer(PartNames);
  diff->SetFooter(
      "Of two archives of one run, tasks are the same by pid and start time, counters are given "
      "per second of the\nguest's clock, and memory is compared page by page. Pages that one of "
      "the two does not have are not\ncomparable. Exit code 1 when something differs.");
  diff->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Diff(session, *arguments); };
  });
}

}  // namespace

void AddDiffCommand(Options* app, Command* chosen) {
  app->AddSubcommand(
         "diff",
         "What differs in another archive: tasks, queues, sched_ext, maps, counters, memory",
         [chosen](Options* diff) { DeclareDiff(diff, chosen); })
      .StandsAlone();
}

}  // namespace ktstr
