#include "capture/run/exit_account.h"

#include <fmt/format.h>

#include <initializer_list>
#include <string_view>

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

void AddSchedulerExit(const GuestKernel& kernel, Fired* fired) {
  const auto state = WalkScx(kernel);
  if (!state || state->schedulers.empty()) return;
  const ScxRow& row = state->schedulers.front();
  std::string text = fmt::format("the scheduler {} ends", SafeText(row.ops_name.value_or("?")));
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

void AddAccount(const GuestKernel& kernel, TriggerKind kind, Fired* fired) {
  switch (kind) {
    case TriggerKind::kSchedulerExit:
      return AddSchedulerExit(kernel, fired);
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
