#include "libcore/walk/sched/scx_status.h"

namespace ktstr {

ScxStatus::ScxStatus(const Walk& walk)
    : states_(walk.types, {"scx_enable_state", "scx_ops_enable_state"}, "SCX_",
              {{"ops_enabling", 0}, {"ops_enabled", 1}, {"ops_disabling", 2}, {"ops_disabled", 3}}),
      sched_(walk) {}

std::optional<std::string> ScxStatus::EnableState(const Walk& walk) const {
  const auto state =
      Globals(walk).Read<int32_t>({"scx_enable_state_var", "scx_ops_enable_state_var"});
  if (!state) return std::nullopt;
  // SCX_OPS_ENABLED up to 6.14, SCX_ENABLED from 6.15 on.
  const std::string name = states_.NameOf(*state);
  return name.starts_with("ops_") ? name.substr(4) : name;
}

std::optional<int64_t> ScxStatus::WatchdogTimeout(const Walk& walk,
                                                  const ScxInstance& instance) const {
  if (!instance.sched || !sched_.watchdog_timeout) {
    return Globals(walk).Read<int64_t>({"scx_watchdog_timeout"});
  }
  CellReader sched(walk, *instance.sched, "a scheduler");
  return sched.Integer(sched_.watchdog_timeout);
}

}  // namespace ktstr
