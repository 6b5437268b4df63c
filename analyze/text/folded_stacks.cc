#include "analyze/text/folded_stacks.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "analyze/text/json_cell.h"
#include "analyze/text/output.h"
#include "analyze/text/shared_texts.h"
#include "analyze/text/stack_groups.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

enum TaskColumn { kKva, kPid, kComm, kState, kCpu };
constexpr const char* kTasks =
    "SELECT task_kva, pid, comm, state, cpu FROM task ORDER BY pid, cpu, task_kva";

struct FoldedStacks {
  QueryResult tasks;
  SharedTexts texts;
  StackGroups stacks;
};

Result<FoldedStacks> Fold(const Database& index) {
  FoldedStacks folded;
  folded.tasks = KTSTR_TRY(index.Query(kTasks));
  folded.stacks = KTSTR_TRY(GroupStacks(index, folded.tasks, kKva, folded.texts));
  return folded;
}

// "9998 S, 2 R".
std::string States(const QueryResult& tasks, const StackGroup& group) {
  std::map<std::string, size_t> counts;
  for (const size_t task : group.tasks) ++counts[ToDisplay(tasks.rows[task][kState])];
  if (counts.size() == 1) return counts.begin()->first;
  std::string text;
  for (const auto& [state, count] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
  }
  return text;
}

std::string Heading(const QueryResult& tasks, const StackGroup& group) {
  constexpr size_t kNamed = 4;
  const size_t count = group.tasks.size();
  std::string text = fmt::format("{} {}, {}:", count, count == 1 ? "task" : "tasks",
                                 group.running ? "running" : States(tasks, group));
  for (size_t i = 0; i < std::min(count, kNamed); ++i) {
    const auto& row = tasks.rows[group.tasks[i]];
    text +=
        fmt::format("{} {} ({})", i == 0 ? "" : ",", ToDisplay(row[kComm]), ToDisplay(row[kPid]));
    if (group.running) text += fmt::format(" on CPU {}", ToDisplay(row[kCpu]));
  }
  if (count > kNamed) text += fmt::format(" and {} more", count - kNamed);
  return text;
}

}  // namespace

Result<std::string> FoldedStackText(const Database& index) {
  const FoldedStacks folded = KTSTR_TRY(Fold(index));
  std::string text;
  for (const StackGroup& group : folded.stacks.groups) {
    text += fmt::format("{}{}\n", text.empty() ? "" : "\n", Heading(folded.tasks, group));
    for (const size_t frame : group.frames) {
      text += fmt::format("  {}\n", SafeText(folded.texts.At(frame)));
    }
    text += fmt::format("  -- {}\n", SafeText(group.end));
  }
  return text;
}

Result<std::string> FoldedStackJson(const Database& index) {
  const FoldedStacks folded = KTSTR_TRY(Fold(index));
  auto json = nlohmann::ordered_json::array();
  for (const StackGroup& group : folded.stacks.groups) {
    auto tasks = nlohmann::ordered_json::array(), frames = nlohmann::ordered_json::array();
    for (const size_t task : group.tasks) {
      const auto& row = folded.tasks.rows[task];
      tasks.push_back({{"pid", JsonCell(row[kPid])},
                       {"comm", JsonCell(row[kComm])},
                       {"state", JsonCell(row[kState])},
                       {"cpu", JsonCell(row[kCpu])}});
    }
    for (const size_t frame : group.frames) frames.push_back(folded.texts.At(frame));
    json.push_back({{"tasks", std::move(tasks)},
                    {"running", group.running},
                    {"frames", std::move(frames)},
                    {"end", group.end}});
  }
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace ktstr
