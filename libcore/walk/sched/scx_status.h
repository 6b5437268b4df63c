// What a kernel says of sched_ext as a whole, in its global variables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "libcore/image/type_info.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/globals.h"
#include "libcore/walk/sched/scx_instance.h"

namespace ktstr {

// What is wrong is told to the walk that asks.
class ScxStatus {
 public:
  explicit ScxStatus(const Walk& walk);

  // "enabling", "enabled", "disabling" or "disabled".
  std::optional<std::string> EnableState(const Walk& walk) const;
  // How many jiffies a task may be runnable without running: the scheduler's own limit where each
  // has one (7.1 on).
  std::optional<int64_t> WatchdogTimeout(const Walk& walk, const ScxInstance& instance) const;

 private:
  EnumText states_;
  ScxSchedMembers sched_;
};

}  // namespace ktstr
