// ktstr-analyze FILE stack TASK | --cpu N | --all
#include <fmt/format.h>

#include "analyze/command/command.h"
#include "analyze/index/cells.h"
#include "analyze/index/sql_functions.h"
#include "analyze/text/folded_stacks.h"
#include "analyze/text/stack_text.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

struct StackArguments {
  std::string task;
  std::optional<int64_t> cpu;
  bool all = false, fold = false;
};

bool IsTaskNumber(const std::string& word) {
  return !word.empty() && word.find_first_not_of("0123456789") == std::string::npos;
}

// Threads by number, by name, or by a pattern of names. A name of digits only is a number.
std::string TaskCondition(const std::string& task) {
  if (IsTaskNumber(task)) return "f.pid = " + task;
  // GLOB takes brackets too, which names of threads have ("kworker/0:1", but "[x]" as well).
  const bool is_pattern = task.find_first_of("*?") != std::string::npos;
  return fmt::format("t.comm {} {}", is_pattern ? "GLOB" : "=", Quoted(task));
}

Result<std::string> Condition(const StackArguments& arguments) {
  if (arguments.all) return std::string("1");
  if (!arguments.task.empty()) return TaskCondition(arguments.task);
  if (arguments.cpu) return fmt::format("f.running = 1 AND f.cpu = {}", *arguments.cpu);
  return Fail(ErrorCode::kInvalidArgument, "whose stack? give a TASK, --cpu N or --all");
}

Error NoSuchTask(const Database& index, const StackArguments& arguments) {
  const auto usage = [](std::string text) {
    return Error(ErrorCode::kInvalidArgument, std::move(text));
  };
  if (arguments.task.empty()) {
    return usage(fmt::format("nothing is known to run on a CPU {}", *arguments.cpu));
  }
  if (IsTaskNumber(arguments.task))
    return usage(fmt::format("there is no thread {}", arguments.task));
  if (arguments.task.find_first_of("*?") != std::string::npos) {
    return usage(fmt::format("no thread has a name like '{}'", arguments.task));
  }
  std::vector<std::string> names;
  if (const auto all = index.Query("SELECT DISTINCT comm FROM task WHERE comm IS NOT NULL")) {
    for (const auto& row : all->rows) names.push_back(TextOf(row[0]));
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  return usage(UnknownWord("thread", arguments.task, known));
}

Result<std::string> Stacks(Session& session, const StackArguments& arguments) {
  if (arguments.fold) {
    const Database* index = KTSTR_TRY(session.Index());
    return session.json() ? FoldedStackJson(*index) : FoldedStackText(*index);
  }
  const std::string condition = KTSTR_TRY(Condition(arguments));
  const Database* index = KTSTR_TRY(session.Index());
  const std::string text = KTSTR_TRY(StackText(*index, condition));
  if (text.empty() && !arguments.all) return Fail(NoSuchTask(*index, arguments));
  if (!session.json()) return text;
  return session.Answer(
      "SELECT f.* FROM stack_frame f LEFT JOIN task t ON t.task_kva = f.task_kva "
      "WHERE " +
      condition + " ORDER BY f.task_kva, f.depth");
}

void DeclareStack(Options* stack, Command* chosen) {
  auto arguments = std::make_shared<StackArguments>();
  stack
      ->Add("TASK", &arguments->task,
            "A thread's number, its name, or a pattern of names with * and ?")
      .TypeName("");
  stack->Add("--cpu", &arguments->cpu, "What runs on that CPU").TypeName("N").Excludes("TASK");
  stack->Add("--all", &arguments->all, "Every thread").Excludes("TASK").Excludes("--cpu");
  stack
      ->Add("--fold", &arguments->fold,
            "With --all: threads whose stacks are alike together, what most are in first")
      .Needs("--all");
  stack->OnChosen([chosen, arguments] {
    *chosen = [arguments](Session& session) { return Stacks(session, *arguments); };
  });
}

}  // namespace

void AddStackCommand(Options* app, Command* chosen) {
  app->AddSubcommand("stack", "What a thread is in the middle of; <…>: how it got there",
                     [chosen](Options* stack) { DeclareStack(stack, chosen); });
}

}  // namespace ktstr
