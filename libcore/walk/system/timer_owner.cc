#include "ktstr/walk/system/timer_owner.h"

#include "ktstr/walk/globals.h"
#include "ktstr/walk/system/function_name.h"

namespace ktstr {

TimerOwners::TimerOwners(const GuestKernel& kernel, const TypeInfo& types, TextSymbols& text,
                         Anomalies& anomalies)
    : kernel_(kernel),
      text_(text),
      anomalies_(anomalies),
      identities_(kernel, types, anomalies),
      workqueues_(kernel, types, anomalies) {
  const Globals globals(kernel, anomalies);
  hrtimer_wakeup_ = globals.Address({"hrtimer_wakeup"});
  process_timeout_ = globals.Address({"process_timeout"});
  delayed_work_ = globals.Address({"delayed_work_timer_fn"});
  Fields sleeper(types, "hrtimer_sleeper", anomalies);
  sleeper_timer_ = sleeper.Maybe("timer");
  sleeper_task_ = sleeper.Maybe("task");
  Fields process(types, "process_timer", anomalies);
  process_timer_ = process.Maybe("timer");
  process_task_ = process.Maybe("task");
  Fields delayed(types, "delayed_work", anomalies);
  delayed_timer_ = delayed.Maybe("timer");
  delayed_func_ = delayed.Maybe("work.func");
  delayed_wq_ = delayed.Maybe("wq");
}

void TimerOwners::Fill(Kva timer, Kva function, TimerRow& row) {
  if (function == hrtimer_wakeup_ && sleeper_timer_) {
    FillTask(timer - sleeper_timer_->offset, sleeper_task_, row);
  } else if (function == process_timeout_ && process_timer_) {
    FillTask(timer - process_timer_->offset, process_task_, row);
  } else if (function == delayed_work_ && delayed_timer_) {
    FillWork(timer - delayed_timer_->offset, row);
  }
}

void TimerOwners::FillTask(Kva object, const MaybeMember& member, TimerRow& row) {
  const auto task = CellReader(kernel_, object, "a sleeper's timer", anomalies_).Pointer(member);
  // The sleeper was woken already.
  if (!task || task->is_null()) return;
  row.task_kva = Hex(*task);
  TaskIdentity identity = identities_.Of(*task);
  row.pid = identity.pid;
  row.comm = std::move(identity.comm);
}

void TimerOwners::FillWork(Kva delayed_work, TimerRow& row) {
  CellReader work(kernel_, delayed_work, "a delayed work item", anomalies_);
  const auto function = work.Pointer(delayed_func_);
  if (!function) return;
  row.detail = FunctionName(text_, *function);
  const auto queue = work.Pointer(delayed_wq_);
  const auto name = queue ? workqueues_.NameOf(*queue) : std::nullopt;
  if (row.detail && name) *row.detail += " on " + *name;
}

}  // namespace ktstr
