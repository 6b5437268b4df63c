#include "capture/run/monitor.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/run/exit_account.h"
#include "capture/run/payload_end.h"
#include "capture/system/child_process.h"
#include "libcore/base/quantity.h"
#include "libcore/base/safe_text.h"

namespace ktstr {

namespace {

using nlohmann::json;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr milliseconds kStubTimeout(10'000);
constexpr milliseconds kPing(1000);        // how often init is asked whether it is there
constexpr milliseconds kWorkersPoll(100);  // how often workers are asked for their gaps

bool Has(const std::vector<TriggerSpec>& specs, TriggerKind kind) {
  return std::ranges::find(specs, kind, &TriggerSpec::kind) != specs.end();
}

}  // namespace

Monitor::Monitor(GuestMachine& machine, const std::vector<TriggerSpec>& triggers,
                 const Interrupt& interrupt, Keep keep)
    : machine_(machine),
      triggers_(triggers),
      interrupt_(interrupt),
      keep_(std::move(keep)),
      samples_(triggers),
      gaps_wanted_(Has(triggers, TriggerKind::kWorkerGap)) {
  sample_interval_ = samples_.interval();
  beat_interval_ = gaps_wanted_ ? kWorkersPoll : kPing;
}

Result<std::unique_ptr<Monitor>> Monitor::Start(GuestMachine& machine,
                                                const std::vector<TriggerSpec>& triggers,
                                                std::chrono::microseconds timeout,
                                                const Interrupt& interrupt, Keep keep) {
  std::unique_ptr<Monitor> monitor(new Monitor(machine, triggers, interrupt, std::move(keep)));
  monitor->running_ = KTSTR_TRY(RunningKernel::Open(machine.qmp(), machine.qemu().pid()));
  monitor->sampler_ =
      std::make_unique<Sampler>(KTSTR_TRY(Sampler::Make(monitor->running_->kernel())));
  monitor->stub_ = KTSTR_TRY(
      GdbStub::Open(machine.qemu().TakeGdbPort(), "the gdb stub of the test's QEMU", kStubTimeout));
  monitor->ops_.emplace(machine.qmp(), machine.qemu().TakeOpsPort(), machine.qemu().pid());
  monitor->code_ = KTSTR_TRY(CodeTriggers::Arm(triggers, machine.accelerator(), *monitor->running_,
                                               *monitor->stub_, machine.qmp()));
  KTSTR_TRY(monitor->stub_->Continue());
  const auto now = Clock::now();
  monitor->timeout_ = now + duration_cast<Clock::duration>(timeout);
  monitor->next_sample_ = monitor->next_beat_ = now;
  return monitor;
}

void Monitor::PhaseBegins(const std::string& name) {
  const auto now = Clock::now();
  for (size_t i = 0; i < triggers_.size(); ++i) {
    const TriggerSpec& spec = triggers_[i];
    const bool begins = spec.kind == TriggerKind::kPeriodic
                            ? !phases_begun_
                            : spec.kind == TriggerKind::kPhase && spec.phase == name;
    if (begins) timed_[i] = now + duration_cast<Clock::duration>(spec.over);
  }
  phases_begun_ = true;
}

json Monitor::PayloadEnd(const std::string& name) const {
  const auto end = ended_payloads_.find(name);
  return end == ended_payloads_.end() ? json() : *end->second;
}

const TriggerSpec& Monitor::Spec(TriggerKind kind) const {
  // Those that are asked for here are always armed.
  return *std::ranges::find(triggers_, kind, &TriggerSpec::kind);
}

void Monitor::Fire(Fired fired) {
  if (!fired_) fired_ = std::move(fired);
}

Status Monitor::Strike(Fired fired) {
  if (fired.fails) {
    Fire(std::move(fired));
    return {};
  }
  if (kept_[fired.trigger + " " + fired.which]++ >= fired.most) return {};
  KTSTR_TRY(keep_(fired));
  // The guest has stood still meanwhile: what it owes an answer to was not asked for so long.
  beat_sent_ = Clock::now();
  return {};
}

Result<json> Monitor::Ask(std::string_view verb, json arguments) {
  if (fired_) return json();
  GuestChannel& channel = machine_.channel();
  const int64_t id = KTSTR_TRY(channel.Post(verb, std::move(arguments), After(kStubTimeout)));
  std::optional<Result<json>> answer;
  KTSTR_TRY(WaitUntil(timeout_, [&] { return (answer = channel.TakeAnswer(id)).has_value(); }));
  if (!answer) return json();
  return *std::move(answer);
}

Status Monitor::WaitUntil(Deadline deadline, const std::function<bool()>& done) {
  for (;;) {
    KTSTR_TRY(Drain());
    if (!fired_) KTSTR_TRY(LookAround());
    if (fired_ || (done && done()) || Clock::now() >= deadline) return {};
    Poll(NextDue(deadline));
  }
}

void Monitor::Poll(Deadline deadline) {
  const int ops = ops_ ? ops_->fd() : -1;  // poll() passes over -1
  std::array<pollfd, 5> waiting = {
      pollfd{machine_.channel().fd(), POLLIN, 0}, pollfd{machine_.qmp().fd(), POLLIN, 0},
      pollfd{stub_->fd(), POLLIN, 0}, pollfd{interrupt_.fd(), POLLIN, 0}, pollfd{ops, POLLIN, 0}};
  poll(waiting.data(), waiting.size(), PollTimeout(deadline));
}

Deadline Monitor::NextDue(Deadline deadline) const {
  Deadline due = std::min({deadline, timeout_, next_beat_});
  if (samples_.wanted()) due = std::min(due, next_sample_);
  for (const auto& [index, at] : timed_) due = std::min(due, at);
  return due;
}

Status Monitor::Drain() {
  KTSTR_TRY(DrainStops());
  if (!fired_) KTSTR_TRY(DrainQmp());
  if (!fired_) KTSTR_TRY(DrainGuest());
  if (!fired_ && ops_) KTSTR_TRY(DrainOps());
  return {};
}

Status Monitor::DrainOps() {
  auto served = ops_->ServeWhatIsThere(code_->planted());
  if (!served && served.error().code() == ErrorCode::kPeer) {
    ops_.reset();  // what has become of the machine is told by QMP
    return {};
  }
  if (!served) return Fail(std::move(served).error().Wrap("the port for operations"));
  // As in Strike.
  if (*served) beat_sent_ = Clock::now();
  return {};
}

Status Monitor::DrainStops() {
  while (!fired_) {
    auto stop = stub_->WaitForStop(Clock::now());
    if (!stop) {
      // What ends QEMU is told by its own events.
      if (stop.error().code() == ErrorCode::kTimeout || stop.error().code() == ErrorCode::kPeer) {
        return {};
      }
      return Fail(std::move(stop).error());
    }
    auto fired = KTSTR_TRY(code_->Identify(*stop));
    if (fired) KTSTR_TRY(Strike(*std::move(fired)));
    // A stop that QMP asked for ends when QMP says so.
    const bool ours = stop->reason == GdbStop::Reason::kBreakpoint ||
                      stop->reason == GdbStop::Reason::kWatchpoint;
    if (!fired_ && ours) KTSTR_TRY(code_->GoOn(*stop));
  }
  return {};
}

Status Monitor::DrainQmp() {
  for (;;) {
    auto event = machine_.qmp().NextEvent(Clock::now());
    if (!event && event.error().code() == ErrorCode::kTimeout) return {};
    if (!event) return Fail(machine_.qemu().Explain(std::move(event).error()));
    if (event->name == "GUEST_PANICKED") {
      // Told by a device of the machine's, such as pvpanic, of a panic that no breakpoint saw.
      Fired fired = FiredBy(Spec(TriggerKind::kPanic), "the guest's kernel tells QEMU of a panic");
      AddAccount(kernel(), TriggerKind::kPanic, std::nullopt, &fired);
      Fire(std::move(fired));
      return {};
    }
    if (event->name == "SHUTDOWN" || event->name == "RESET") {
      const std::string reason = StringMember(*event->data, "reason");
      Fire(FiredBy(Spec(TriggerKind::kMachineEnd),
                   fmt::format("the machine ended by itself ({}{}{})", event->name,
                               reason.empty() ? "" : ": ", reason)));
      return {};
    }
  }
}

Status Monitor::DrainGuest() {
  GuestChannel& channel = machine_.channel();
  for (;;) {
    auto received = channel.Receive(Clock::now());
    if (!received && received.error().code() == ErrorCode::kTimeout) break;
    if (!received) return Fail(machine_.qemu().Explain(std::move(received).error()));
  }
  while (auto event = channel.TakeEvent()) KTSTR_TRY(TakeEvent(*event));
  if (!beat_) return {};
  if (auto answer = channel.TakeAnswer(*beat_)) {
    beat_.reset();
    if (*answer && (*answer)->contains("workers")) KTSTR_TRY(TakeWorkers((**answer)["workers"]));
  }
  return {};
}

Status Monitor::TakeEvent(const json& event) {
  const std::string name = StringMember(event, "event");
  if (name == "worker-exit") {
    const std::string worker = StringMember(event, "worker");
    const std::string how = DescribeWaitStatus(int(IntegerMember(event, "status").value_or(0)));
    return Strike(FiredBy(Spec(TriggerKind::kWorkerExit),
                          fmt::format("the worker {} {}", SafeText(worker), how),
                          {{"worker", worker}}));
  }
  if (name == "payload-exit") {
    const std::string payload = StringMember(event, "name");
    const auto status = int(IntegerMember(event, "status").value_or(0));
    ended_payloads_[payload] = event;
    if (status == 0) return {};
    return Strike(FiredBy(Spec(TriggerKind::kPayloadExit), DescribePayloadEnd(event),
                          {{"payload", payload}, {"output", StringMember(event, "output")}}));
  }
  if (name == "capture-request") {
    const std::string why = StringMember(event, "why");
    return Strike(FiredBy(Spec(TriggerKind::kRequest),
                          fmt::format("a program in the guest asks: {}", SafeText(why)),
                          {{"why", why}}));
  }
  // A kernel in which no breakpoint could be set for it tells of it so.
  if (name == "scheduler-exit") {
    const json* exit = JsonMember(event, "exit");
    const std::string reason = exit == nullptr ? "" : StringMember(*exit, "reason");
    return Strike(FiredBy(Spec(TriggerKind::kSchedulerExit),
                          fmt::format("the scheduler has ended: {}", SafeText(reason)),
                          {{"exit_reason", reason}}));
  }
  return {};
}

Status Monitor::TakeWorkers(const json& workers) {
  for (const TriggerSpec& spec : triggers_) {
    if (spec.kind != TriggerKind::kWorkerGap) continue;
    for (const json& task : workers) {
      if (!spec.worker.empty() && StringMember(task, "worker") != spec.worker) continue;
      const int64_t gap = std::max(IntegerMember(task, "gap_ns").value_or(0),
                                   IntegerMember(task, "longest_gap_ns").value_or(0));
      if (nanoseconds(gap) <= spec.over) continue;
      const std::string name = StringMember(task, "name");
      return Strike(
          FiredBy(spec,
                  fmt::format("{} did nothing for {}; the limit is {}", SafeText(name),
                              FormatDuration(nanoseconds(gap)), FormatDuration(spec.over)),
                  {{"comm", name},
                   {"tid", std::to_string(IntegerMember(task, "tid").value_or(0))},
                   {"gap_ns", std::to_string(gap)}}));
    }
  }
  return {};
}

Status Monitor::LookAround() {
  const auto now = Clock::now();
  if (interrupt_.asked()) {
    Fire({.trigger = "interrupt", .detail = "the user asked for the end"});
  } else if (now >= timeout_) {
    Fire(FiredBy(Spec(TriggerKind::kTimeOut), "the test took longer than its 'timeout'"));
  }
  if (!fired_ && samples_.wanted() && now >= next_sample_) {
    if (auto fired = samples_.Check(sampler_->Take())) KTSTR_TRY(Strike(*std::move(fired)));
    next_sample_ = Clock::now() + sample_interval_;
  }
  if (!fired_) KTSTR_TRY(Timed(now));
  if (!fired_) KTSTR_TRY(Beat(now));
  return {};
}

Status Monitor::Timed(Clock::time_point now) {
  for (auto& [index, at] : timed_) {
    if (now < at) continue;
    const TriggerSpec& spec = triggers_[index];
    if (spec.kind == TriggerKind::kPeriodic) {
      at = std::max(at, now) + duration_cast<Clock::duration>(spec.over);
      KTSTR_TRY(Strike(FiredBy(spec, fmt::format("every {}", FormatDuration(spec.over)))));
      continue;
    }
    at = Deadline::max();
    KTSTR_TRY(Strike(FiredBy(
        spec, fmt::format("{} after {} began", FormatDuration(spec.over), SafeText(spec.phase)))));
  }
  return {};
}

Status Monitor::Beat(Clock::time_point now) {
  if (!machine_.has_init()) {
    next_beat_ = Deadline::max();
    return {};
  }
  if (beat_) {
    const TriggerSpec& silent = Spec(TriggerKind::kSilent);
    const auto silence = now - std::max(beat_sent_, machine_.channel().last_heard());
    if (silence > silent.over) {
      return Strike(FiredBy(silent, fmt::format("the guest's init has not answered for {}",
                                                FormatDuration(silence))));
    }
    next_beat_ = now + milliseconds(100);
    return {};
  }
  if (now < next_beat_) return {};
  auto sent =
      machine_.channel().Post(gaps_wanted_ ? "workers" : "ping", json::object(), After(seconds(1)));
  if (!sent) return Fail(machine_.qemu().Explain(std::move(sent).error()));
  beat_ = *sent;
  beat_sent_ = now;
  next_beat_ = now + beat_interval_;
  return {};
}

std::optional<int64_t> Monitor::GuestTimeNs() { return sampler_->Take().uptime_ns; }

}  // namespace ktstr
