// Whom a timer wakes or what it starts: known for the functions with which the kernel sleeps and
// delays work.
#pragma once

#include <optional>

#include "ktstr/walk/fields.h"
#include "ktstr/walk/system/timer.h"
#include "ktstr/walk/system/workqueue_name.h"
#include "ktstr/walk/task_identity.h"
#include "ktstr/walk/text/text_symbols.h"

namespace ktstr {

class TimerOwners {
 public:
  TimerOwners(const GuestKernel& kernel, const TypeInfo& types, TextSymbols& text,
              Anomalies& anomalies);

  // Fills in the task that the timer at `timer`, which calls `function`, will wake, or the work
  // that it will queue.
  void Fill(Kva timer, Kva function, TimerRow& row);

 private:
  void FillTask(Kva object, const MaybeMember& task, TimerRow& row);
  void FillWork(Kva delayed_work, TimerRow& row);

  const GuestKernel& kernel_;
  TextSymbols& text_;
  Anomalies& anomalies_;
  TaskIdentities identities_;
  WorkqueueNames workqueues_;
  std::optional<Kva> hrtimer_wakeup_, process_timeout_, delayed_work_;
  MaybeMember sleeper_timer_, sleeper_task_;
  MaybeMember process_timer_, process_task_;
  MaybeMember delayed_timer_, delayed_func_, delayed_wq_;
};

}  // namespace ktstr
