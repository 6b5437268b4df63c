// What a kernel says of sched_ext as a whole, in its global variables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ktstr/image/type_info.h"
#include "ktstr/walk/enum_text.h"
#include "ktstr/walk/fields.h"
#include "ktstr/walk/globals.h"
#include "ktstr/walk/sched/scx_instance.h"

namespace ktstr {

class ScxStatus {
 public:
  ScxStatus(const GuestKernel& kernel, const TypeInfo& types, Anomalies& anomalies);

  // "enabling", "enabled", "disabling" or "disabled".
  std::optional<std::string> EnableState(const Globals& globals) const;
  // How many jiffies a task may be runnable without running: the scheduler's own limit where each
  // has one (7.1 on).
  std::optional<int64_t> WatchdogTimeout(const Globals& globals, const ScxInstance& instance,
                                         Anomalies& anomalies) const;

 private:
  const GuestKernel& kernel_;
  EnumText states_;
  MaybeMember sched_timeout_;
};

}  // namespace ktstr
