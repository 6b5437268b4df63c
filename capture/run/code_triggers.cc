#include "ktstr/run/code_triggers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "ktstr/base/nearest_word.h"
#include "ktstr/capture/register_text.h"
#include "ktstr/run/exit_account.h"

namespace ktstr {

namespace {

// include/linux/panic.h
constexpr uint64_t kTaintSoftLockup = 14;

// A register of that CPU, by the monitor's name ("RDI=").
Result<std::optional<uint64_t>> Register(QmpClient& qmp, int cpu, std::string_view name) {
  const std::string text = KTSTR_TRY(qmp.HumanCommand("info registers -a"));
  const auto parts = SplitByCpu(text);
  if (size_t(cpu) >= parts.size()) return std::nullopt;
  return RegisterIn(parts[size_t(cpu)], name);
}

}  // namespace

Result<Kva> ResolvePlace(const GuestKernel& kernel, std::string_view place) {
  const size_t plus = std::min(place.find('+'), place.size());
  const std::string_view name = place.substr(0, plus);
  const auto symbol = kernel.symbols().Find(name);
  if (!symbol) {
    std::vector<std::string> names;
    for (size_t i = 0; i < kernel.symbols().size(); ++i) {
      // The edit distance of names of very different length is large: not worth its time.
      Symbol other = kernel.symbols().at(i);
      if (std::max(other.name.size(), name.size()) - std::min(other.name.size(), name.size()) < 4) {
        names.emplace_back(other.name);
      }
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    const std::string nearest = NearestWord(name, views);
    return Fail(ErrorCode::kNotFound,
                fmt::format("the guest's kernel has no symbol '{}'{}", name,
                            nearest.empty() ? "" : fmt::format("; did you mean '{}'?", nearest)));
  }
  uint64_t offset = 0;
  if (plus < place.size()) {
    std::string_view digits = place.substr(plus + 1);
    const bool hex = digits.starts_with("0x");
    if (hex) digits.remove_prefix(2);
    const char* end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, offset, hex ? 16 : 10);
    if (error != std::errc() || rest != end) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' has no number behind its +", place));
    }
  }
  return Kva(symbol->address + offset);
}

Result<CodeTriggers> CodeTriggers::Arm(const std::vector<TriggerSpec>& specs,
                                       const GuestKernel& kernel, GdbStub& stub, QmpClient& qmp) {
  CodeTriggers triggers(kernel, stub, qmp);
  for (const TriggerSpec& spec : specs) KTSTR_TRY(triggers.Add(spec));
  return triggers;
}

Status CodeTriggers::Add(const TriggerSpec& spec) {
  switch (spec.kind) {
    case TriggerKind::kSchedulerExit:
      // The exit info is filled in and nothing is done about it yet where an error, an exit of the
      // scheduler's own or the watchdog calls this (kernel/sched/ext.c; the second name
      // since 6.16).
      KTSTR_TRY(AddFirstOf(spec, {"scx_ops_error_irq_workfn", "scx_error_irq_workfn"}));
      // Whoever ends it (SysRq-S, the loader's end), this comes next.
      return AddFirstOf(spec, {"scx_ops_disable_workfn", "scx_disable_workfn", "scx_root_disable"});
    case TriggerKind::kPanic:
      // What panic() calls when its message is printed (kernel/panic.c, arch/x86/kernel/smp.c).
      return AddFirstOf(spec, {"native_stop_other_cpus", "panic"});
    case TriggerKind::kOops:
      // Called when all is printed (arch/x86/kernel/dumpstack.c).
      return AddFirstOf(spec, {"oops_end"});
    case TriggerKind::kSoftLockup:
      // Called when all is printed (kernel/watchdog.c), and seldom for other things.
      return AddFirstOf(spec, {"add_taint"});
    case TriggerKind::kWrite:
    case TriggerKind::kReached:
      return AddPoint(spec, KTSTR_TRY(ResolvePlace(*kernel_, spec.symbol)),
                      spec.kind == TriggerKind::kWrite, spec.symbol);
    default:
      return {};
  }
}

Status CodeTriggers::AddFirstOf(const TriggerSpec& spec,
                                std::initializer_list<const char*> symbols) {
  for (const char* symbol : symbols) {
    const auto found = kernel_->symbols().Find(symbol);
    if (found) return AddPoint(spec, Kva(found->address), false, symbol);
  }
  return {};
}

Status CodeTriggers::AddPoint(const TriggerSpec& spec, Kva address, bool write, std::string place) {
  KTSTR_TRY(write ? stub_->SetWriteWatchpoint(address, uint64_t(spec.size))
                  : stub_->SetBreakpoint(address));
  points_.push_back({spec, address, write, std::move(place)});
  return {};
}

Result<bool> CodeTriggers::HoldsFor(const Point& point, const GdbStop& stop) {
  if (point.spec.kind == TriggerKind::kSoftLockup) {
    return KTSTR_TRY(Register(*qmp_, stop.cpu, "RDI=")) == kTaintSoftLockup;
  }
  if (point.spec.kind == TriggerKind::kPanic && point.place != "panic") {
    // -1: nobody panics (PANIC_CPU_INVALID); the CPUs are stopped for another reason.
    return kernel_->ReadSymbol<int32_t>("panic_cpu").value_or(0) != -1;
  }
  return true;
}

Result<std::optional<Fired>> CodeTriggers::Identify(const GdbStop& stop) {
  if (stop.reason != GdbStop::Reason::kBreakpoint && stop.reason != GdbStop::Reason::kWatchpoint) {
    return std::nullopt;
  }
  const bool write = stop.reason == GdbStop::Reason::kWatchpoint;
  const uint64_t at = write ? stop.address.value_or(Kva(0)).value()
                            : KTSTR_TRY(Register(*qmp_, stop.cpu, "RIP=")).value_or(0);
  for (const Point& point : points_) {
    const uint64_t begin = point.address.value();
    const bool here =
        point.write == write && (write ? at - begin < uint64_t(point.spec.size) : at == begin);
    if (!here || !KTSTR_TRY(HoldsFor(point, stop))) continue;
    Fired fired =
        FiredBy(point.spec,
                fmt::format("CPU {} {} {}", stop.cpu, write ? "wrote to" : "is at", point.place),
                {{"cpu", std::to_string(stop.cpu)}, {"symbol", point.place}});
    AddAccount(*kernel_, point.spec.kind, &fired);
    return fired;
  }
  return std::nullopt;
}

Status CodeTriggers::GoOn(const GdbStop& stop) {
  if (stop.reason == GdbStop::Reason::kBreakpoint) {
    const uint64_t at = KTSTR_TRY(Register(*qmp_, stop.cpu, "RIP=")).value_or(0);
    const auto here = std::ranges::find_if(
        points_, [&](const Point& point) { return !point.write && point.address.value() == at; });
    if (here != points_.end()) {
      KTSTR_TRY(stub_->RemoveBreakpoint(here->address));
      KTSTR_TRY(stub_->Step(stop.cpu));
      KTSTR_TRY(stub_->SetBreakpoint(here->address));
    }
  }
  return stub_->Continue();
}

Status CodeTriggers::DisarmSchedulerExit() {
  for (const Point& point : points_) {
    if (point.spec.kind != TriggerKind::kSchedulerExit) continue;
    KTSTR_TRY(stub_->RemoveBreakpoint(point.address));
  }
  std::erase_if(points_,
                [](const Point& point) { return point.spec.kind == TriggerKind::kSchedulerExit; });
  return {};
}

}  // namespace ktstr
