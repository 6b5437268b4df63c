#include "capture/run/woken_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capture/live_ops.h"
#include "capture/scenario/scenario_reader.h"
#include "capture/wake/run_on.h"

namespace ktstr {

namespace {

using Clock = std::chrono::steady_clock;

// For Monitor, which has a time-out of its own.
constexpr std::chrono::hours kNeverReached(24 * 365);

// Triggers that our init tells of.
bool NeedsInit(TriggerKind kind) {
  switch (kind) {
    case TriggerKind::kWorkerExit:
    case TriggerKind::kPayloadExit:
    case TriggerKind::kSilent:
    case TriggerKind::kRequest:
    case TriggerKind::kWorkerGap:
      return true;
    default:
      return false;
  }
}

// After which there is nothing left that could run on.
bool EndsAnyRun(TriggerKind kind) {
  return kind == TriggerKind::kPanic || kind == TriggerKind::kMachineEnd ||
         kind == TriggerKind::kTimeOut;
}

// All that Monitor wants armed, but none that would end the run beside `until`.
std::vector<TriggerSpec> TriggersFor(TriggerSpec until) {
  until.fails = true;
  std::vector<TriggerSpec> triggers = DefaultTriggers();
  for (TriggerSpec& spec : triggers) {
    if (EndsAnyRun(spec.kind)) continue;
    spec.fails = false;
    spec.most = 0;
  }
  const auto same = std::ranges::find(triggers, until.kind, &TriggerSpec::kind);
  if (same != triggers.end()) {
    *same = until;
  } else {
    triggers.push_back(until);
  }
  return triggers;
}

}  // namespace

Result<std::unique_ptr<WokenRun>> WokenRun::Wake(const ArchiveReader& archive, WakeOptions options,
                                                 const RunOnPlan& plan) {
  std::unique_ptr<WokenRun> run(new WokenRun(archive, plan));
  if (plan.until) {
    options.gdb_stub = true;
    options.ports = WakingPorts::kOurs;
  }
  WokenMachine woken = KTSTR_TRY(WakeMachine(archive, options));
  if (plan.until && NeedsInit(plan.until->kind) && !woken.has_init) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the trigger '{}' is told of by the init of our own guests, which "
                            "'{}' has not",
                            EntryOf(plan.until->kind).name, archive.path()));
  }
  run->version_ = std::move(woken.version);
  run->notes_ = std::move(woken.notes);
  const bool init = woken.has_init && options.ports == WakingPorts::kOurs;
  run->machine_ =
      KTSTR_TRY(GuestMachine::Adopt(std::move(woken.qemu), woken.accelerator,
                                    init ? GuestMachine::Init::kOurs : GuestMachine::Init::kNone,
                                    archive.metadata().kernel_release, GuestMachine::Timeouts()));
  return run;
}

Result<OpReply> WokenRun::Do(const OpRequest& request) {
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(qmp()));
  const auto ops = KTSTR_TRY(LiveOps::Open(frozen, qemu().pid()));
  return ops->Dispatch(frozen, request);
}

Deadline WokenRun::End() const {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(plan_.run_for.value_or(kNeverReached));
}

Result<RunOnEnd> WokenRun::Run(const Interrupt& interrupt) {
  if (plan_.until) return RunUntilTrigger(interrupt);
  KTSTR_TRY(qmp().Execute("cont"));
  const RanOn ran = KTSTR_TRY(RunOn(qmp(), End(), interrupt.fd()));
  if (ran.end == RunEnd::kGone) return RunOnEnd{.trigger = "machine-end", .gone = true};
  KTSTR_TRY(qmp().Execute("stop"));
  if (ran.end == RunEnd::kMachine) return RunOnEnd{.trigger = "machine-end", .detail = ran.detail};
  if (ran.end == RunEnd::kAsked) return RunOnEnd{.trigger = "interrupt"};
  return RunOnEnd{};
}

Result<RunOnEnd> WokenRun::RunUntilTrigger(const Interrupt& interrupt) {
  triggers_ = TriggersFor(*plan_.until);
  monitor_ = KTSTR_TRY(Monitor::Start(*machine_, triggers_, kNeverReached, interrupt,
                                      [](const Fired&) { return Status(); }));
  KTSTR_TRY(monitor_->WaitUntil(End()));
  KTSTR_TRY(qmp().Execute("stop"));
  const auto& fired = monitor_->fired();
  if (!fired) return RunOnEnd{};
  return RunOnEnd{.trigger = fired->trigger, .detail = fired->detail, .values = fired->values};
}

CaptureOptions WokenRun::DescribeCapture(const RunOnEnd& end) const {
  CaptureOptions options;
  options.captured_by = "ktstr-replay";
  options.trigger = end.trigger;
  options.trigger_detail = end.detail;
  options.tags = archive_.metadata().tags;
  std::erase_if(options.tags, [](const auto& tag) { return tag.first.starts_with("trigger."); });
  options.tags.erase("guest_time_ns");
  for (const auto& [name, value] : end.values) options.tags["trigger." + name] = value;
  options.parent_digest = archive_.digest();
  options.pid = machine_->qemu().pid();
  if (monitor_ != nullptr) options.planted = monitor_->planted();
  return options;
}

}  // namespace ktstr
