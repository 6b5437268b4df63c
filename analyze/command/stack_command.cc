// ktstr-analyze FILE stack PID | --cpu N | --all
#include <fmt/format.h>

#include "analyze/command/command.h"
#include "analyze/text/folded_stacks.h"
#include "analyze/text/stack_text.h"

namespace ktstr {

namespace {

struct StackArguments {
  std::optional<int64_t> pid, cpu;
  bool all = false, fold = false;
};

Result<std::string> Condition(const StackArguments& arguments) {
  if (arguments.all) return std::string("1");
  if (arguments.pid) return fmt::format("f.pid = {}", *arguments.pid);
  if (arguments.cpu) return fmt::format("f.running = 1 AND f.cpu = {}", *arguments.cpu);
  return Fail(ErrorCode::kInvalidArgument, "whose stack? give a PID, --cpu N or --all");
}

Result<std::string> Stacks(Session& session, const StackArguments& arguments) {
  if (arguments.fold) {
    const Database* index = KTSTR_TRY(session.Index());
    return session.json() ? FoldedStackJson(*index) : FoldedStackText(*index);
  }
  const std::string condition = KTSTR_TRY(Condition(arguments));
  const Database* index = KTSTR_TRY(session.Index());
  const std::string text = KTSTR_TRY(StackText(*index, condition));
  if (text.empty() && !arguments.all) {
    return Fail(ErrorCode::kInvalidArgument,
                arguments.pid ? fmt::format("there is no thread {}", *arguments.pid)
                              : fmt::format("nothing is known to run on a CPU {}", *arguments.cpu));
  }
  if (!session.json()) return text;
  return session.Answer("SELECT f.* FROM stack_frame f WHERE " + condition +
                        " ORDER BY f.task_kva, f.depth");
}

void DeclareStack(Options* stack, Command* chosen) {
  auto arguments = std::make_shared<StackArguments>();
  stack->Add("PID", &arguments->pid, "A thread").TypeName("");
  stack->Add("--cpu", &arguments->cpu, "What runs on that CPU").TypeName("N").Excludes("PID");
  stack->Add("--all", &arguments->all, "Every thread").Excludes("PID").Excludes("--cpu");
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
