#include "capture/run/exit_account.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "libcore/base/safe_text.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/system/log.h"

namespace ktstr {

namespace {

// scx_exit_reason() in kernel/sched/ext.c. The kernel writes it only when the work that ends the
// scheduler has begun; of an error it is there before.
std::string ReasonOf(const std::string& kind) {
  if (kind == "unreg") return "unregistered from user space";
  if (kind == "unreg_bpf") return "unregistered from BPF";
  if (kind == "unreg_kern") return "unregistered from the main kernel";
  if (kind == "sysrq") return "disabled by sysrq-S";
  return kind == "parent" ? "parent exiting" : "";
}

bool IsOf(const ScxRow& row, Kva sched) { return row.sched_kva == Hex(sched); }

bool HasReasonOfItsOwn(const ScxRow& row) {
  const std::string kind = row.exit_kind.value_or("none");
  return kind != "none" && kind != "done" && kind != "parent";
}

// The scheduler that an exit is about. One that ends with its parent is not: that one is.
std::optional<ScxRow> TheOneThatEnds(const GuestKernel& kernel, std::optional<Kva> ending) {
  const auto state = WalkScx(kernel);
  if (!state) return std::nullopt;
  const std::vector<ScxRow>& rows = state->schedulers;
  auto row = ending ? std::ranges::find_if(rows, [&](const auto& r) { return IsOf(r, *ending); })
                    : std::ranges::find_if(rows, HasReasonOfItsOwn);
  if (row == rows.end() && ending) {
    // It was not, or is no longer, among them.
    const auto read = ReadScxScheduler(kernel, *ending);
    return read ? std::optional(*read) : std::nullopt;
  }
  if (row == rows.end()) return rows.empty() ? std::nullopt : std::optional(rows.front());
  // Numbers of parents are smaller.
  while (row->exit_kind == "parent" && row->parent) row = rows.begin() + *row->parent;
  return *row;
}

void AddSchedulerExit(const GuestKernel& kernel, std::optional<Kva> ending, Fired* fired) {
  const auto found = TheOneThatEnds(kernel, ending);
  if (!found) return;
  const ScxRow& row = *found;
  std::string text = fmt::format("the scheduler {}", SafeText(row.ops_name.value_or("?")));
  if (row.level.value_or(0) > 0 && row.cgroup) {
    fired->values["cgroup"] = *row.cgroup;
    text += fmt::format(" of cgroup {}", SafeText(*row.cgroup));
  }
  text += " ends";
  const auto add = [&](const char* name, const std::optional<std::string>& value,
                       std::string_view before) {
    if (!value || value->empty()) return;
    fired->values[name] = *value;
    text += fmt::format("{}{}", before, SafeText(*value));
  };
  if (row.exit_kind) fired->values["exit_kind"] = *row.exit_kind;
  const bool told = row.exit_reason && !row.exit_reason->empty();
  add("exit_reason", told ? row.exit_reason : std::optional(ReasonOf(row.exit_kind.value_or(""))),
      ": ");
  add("exit_message", row.exit_message, ": ");
  if (row.ops_name) fired->values["ops_name"] = *row.ops_name;
  fired->detail = text;
}

// The last line of the log that has the first of these words in it; else the second, and so on.
void AddLogLine(const GuestKernel& kernel, std::initializer_list<std::string_view> words,
                Fired* fired) {
  const auto log = WalkLog(kernel);
  if (!log) return;
  for (const std::string_view word : words) {
    for (auto row = log->rows.rbegin(); row != log->rows.rend(); ++row) {
      if (!row->text || row->text->find(word) == std::string::npos) continue;
      fired->detail = SafeText(*row->text);
      fired->values["log"] = *row->text;
      return;
    }
  }
}

}  // namespace

std::optional<Kva> EndingScheduler(const GuestKernel& kernel, std::string_view place,
                                   Kva argument) {
  // kernel/sched/ext.c; the irq_work has its second name from 7.1 on.
  constexpr std::pair<std::string_view, std::string_view> kWorks[] = {
      {"scx_disable_workfn", "disable_work"},
      {"scx_error_irq_workfn", "error_irq_work"},
      {"scx_disable_irq_workfn", "disable_irq_work"}};
  const auto types = kernel.types();
  if (!types) return std::nullopt;
  for (const auto& [function, work] : kWorks) {
    if (function != place) continue;
    const auto member = (*types)->FindMember("scx_sched", work);
    if (member) return Kva(argument.value() - member->offset);
  }
  return std::nullopt;
}

void AddAccount(const GuestKernel& kernel, TriggerKind kind, std::optional<Kva> ending,
                Fired* fired) {
  switch (kind) {
    case TriggerKind::kSchedulerExit:
      return AddSchedulerExit(kernel, ending, fired);
    case TriggerKind::kPanic:
      return AddLogLine(kernel, {"Kernel panic - not syncing"}, fired);
    case TriggerKind::kOops:
      return AddLogLine(kernel, {"kernel BUG at", "BUG: ", "general protection fault", "Oops: "},
                        fired);
    case TriggerKind::kSoftLockup:
      return AddLogLine(kernel, {"BUG: soft lockup"}, fired);
    default:
      return;
  }
}

}  // namespace ktstr
