#include "capture/run/code_triggers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "capture/qemu/accelerator.h"
#include "capture/qemu/register_text.h"
#include "capture/run/exit_account.h"
#include "libcore/base/nearest_word.h"

namespace ktstr {

namespace {

// TAINT_DIE and TAINT_SOFTLOCKUP of include/linux/panic.h.
constexpr uint64_t kTaintDie = 7, kTaintSoftLockup = 14;

// What is looked at of a place's text, in bytes: a preamble and the longest instruction.
constexpr size_t kTextSize = 32;
// How far behind its symbol a place may be for its instructions to be counted, in bytes.
constexpr uint64_t kFarthest = 1 << 16;
// A guest whose CPUs are all in user mode is let go for a moment, so often, until one is not.
constexpr int kPlantAttempts = 200;
constexpr std::chrono::milliseconds kPlantPause(5);

// A register of that CPU, by the monitor's name ("RDI=").
Result<std::optional<uint64_t>> Register(QmpClient& qmp, int cpu, std::string_view name) {
  const std::string text = KTSTR_TRY(qmp.HumanCommand("info registers -a"));
  const auto parts = SplitByCpu(text);
  if (size_t(cpu) >= parts.size()) return std::nullopt;
  return RegisterIn(parts[size_t(cpu)], name);
}

// The symbol of "SYMBOL+OFFSET".
std::string_view SymbolOf(std::string_view place) { return place.substr(0, place.find('+')); }

// As much of the text at an address as can be read, up to `size` bytes.
std::vector<std::byte> ReadText(const GuestKernel& kernel, Kva address, uint64_t size) {
  std::vector<std::byte> text(size);
  while (!text.empty() && !kernel.Read(address, text)) text.resize(text.size() / 2);
  return text;
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
                                       Accelerator accelerator, RunningKernel& running,
                                       GdbStub& stub, QmpClient& qmp) {
  CodeTriggers triggers(running, stub, qmp);
  for (const TriggerSpec& spec : specs) KTSTR_TRY(triggers.Add(spec));
  KTSTR_TRY(triggers.Plan(DebugRegisters(accelerator)));
  for (Point& point : triggers.points_) KTSTR_TRY(triggers.Set(point));
  running.memory().Hide(triggers.planted_);
  return triggers;
}

Status CodeTriggers::Add(const TriggerSpec& spec) {
  switch (spec.kind) {
    case TriggerKind::kSchedulerExit:
      // The exit info is filled in and nothing is done about it yet where an error, an exit of the
      // scheduler's own or the watchdog calls this (kernel/sched/ext.c; the second name
      // since 6.16, the third since 7.1).
      AddFirstOf(spec,
                 {"scx_ops_error_irq_workfn", "scx_error_irq_workfn", "scx_disable_irq_workfn"});
      // Whoever ends it (SysRq-S, the loader's end), this comes next.
      AddFirstOf(spec, {"scx_ops_disable_workfn", "scx_disable_workfn", "scx_root_disable"});
      return {};
    case TriggerKind::kPanic:
      // What panic() calls when its message is printed (kernel/panic.c, arch/x86/kernel/smp.c):
      // the other CPUs are still where they were. A panic notifier, as pvpanic's, comes when they
      // are stopped.
      AddFirstOf(spec, {"native_stop_other_cpus", "panic"});
      return {};
    case TriggerKind::kOops:
    case TriggerKind::kSoftLockup:
      // Called when all is printed, by oops_end (arch/x86/kernel/dumpstack.c) and watchdog_timer_fn
      // (kernel/watchdog.c), and seldom for other things.
      AddFirstOf(spec, {"add_taint"});
      return {};
    case TriggerKind::kWrite:
    case TriggerKind::kReached:
      return AddPlace(spec);
    default:
      return {};
  }
}

void CodeTriggers::AddFirstOf(const TriggerSpec& spec, std::initializer_list<const char*> symbols) {
  for (const char* symbol : symbols) {
    const auto found = kernel_->symbols().Find(symbol);
    if (found) return AddPoint(spec, symbol, Kva(found->address), 0);
  }
}

Status CodeTriggers::AddPlace(const TriggerSpec& spec) {
  const Kva address = KTSTR_TRY(ResolvePlace(*kernel_, spec.symbol));
  if (spec.kind == TriggerKind::kReached) {
    AddPoint(spec, spec.symbol, address, 0);
    return {};
  }
  for (const WatchPiece& piece : AlignedPieces(address, uint64_t(spec.size))) {
    AddPoint(spec, spec.symbol, piece.address, piece.size);
  }
  return {};
}

// Two triggers at one place are one point.
void CodeTriggers::AddPoint(const TriggerSpec& spec, std::string place, Kva address,
                            uint64_t size) {
  const auto same = std::ranges::find_if(
      points_, [&](const Point& point) { return point.address == address && point.size == size; });
  if (same != points_.end()) {
    same->specs.push_back(spec);
  } else {
    points_.push_back(
        {.specs = {spec}, .place = std::move(place), .address = address, .size = size});
  }
}

PlaceWish CodeTriggers::WishOf(const Point& point) const {
  const bool exact = std::ranges::any_of(
      point.specs, [](const TriggerSpec& spec) { return spec.kind == TriggerKind::kReached; });
  PlaceWish wish = {.name = point.place, .address = point.address, .exact = exact};
  const auto symbol = kernel_->symbols().Find(SymbolOf(point.place));
  const uint64_t offset = symbol ? point.address.value() - symbol->address : 0;
  wish.entry = offset == 0;
  if (wish.entry || offset > kFarthest) {
    wish.text = ReadText(*kernel_, point.address, kTextSize);
    return wish;
  }
  const auto function = ReadText(*kernel_, Kva(symbol->address), offset + kTextSize);
  wish.instruction_known = InstructionBeginsAt(function, offset);
  if (offset < function.size()) wish.text.assign(function.begin() + offset, function.end());
  return wish;
}

// Decides where each instruction's point is set, and how.
Status CodeTriggers::Plan(std::optional<int> registers) {
  std::vector<PlaceWish> wishes;
  std::vector<Point*> places;
  for (Point& point : points_) {
    if (point.size > 0) {
      if (registers && --*registers < 0) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("the test watches more variables than a CPU has debug registers "
                                "on KVM; none is left for '{}'",
                                point.place));
      }
      continue;
    }
    wishes.push_back(WishOf(point));
    places.push_back(&point);
  }
  const auto plan = KTSTR_TRY(PlanPlaces(wishes, registers));
  for (size_t i = 0; i < places.size(); ++i) {
    places[i]->address = plan[i].address;
    places[i]->kind = plan[i].kind;
  }
  return {};
}

Status CodeTriggers::Set(Point& point) {
  if (point.size > 0) return stub_->SetWriteWatchpoint(point.address, point.size);
  if (point.kind == BreakpointKind::kHardware) return stub_->SetBreakpoint(point.address);
  point.pa = KTSTR_TRY(kernel_->Translate(point.address));
  point.text = ReadText(*kernel_, point.address, kTextSize);
  point.text.resize(std::max<size_t>(InstructionSize(point.text), 1));
  KTSTR_TRY(Plant(point));
  planted_.push_back({point.pa, point.text[0]});
  return {};
}

// QEMU finds the place by a CPU's own page tables, which with page-table isolation lead to the
// kernel in kernel mode only.
Status CodeTriggers::Plant(Point& point) {
  for (int attempt = 1;; ++attempt) {
    Status planted;
    const size_t cpus = SplitByCpu(KTSTR_TRY(qmp_->HumanCommand("info registers -a"))).size();
    for (size_t cpu = 0; cpu < std::max<size_t>(cpus, 1); ++cpu) {
      KTSTR_TRY(stub_->SelectCpu(int(cpu)));
      planted = stub_->SetBreakpoint(point.address, BreakpointKind::kSoftware);
      if (planted) return {};
    }
    if (attempt == kPlantAttempts) return planted;
    KTSTR_TRY(stub_->Continue());
    std::ignore = stub_->WaitForStop(After(kPlantPause));
    KTSTR_TRY(stub_->Halt());
  }
}

std::vector<std::string> CodeTriggers::TakeChanges() {
  std::vector<std::string> changes;
  for (Point& point : points_) {
    if (point.text.empty() || point.changed) continue;
    // As the guest's own text would be: our breakpoint is hidden there.
    const auto now = ReadText(*kernel_, point.address, point.text.size());
    const bool ours = running_->memory().Holds(point.pa, kBreakpointInstruction);
    if (ours && now == point.text) continue;
    point.changed = true;
    changes.push_back(fmt::format(
        "the guest has changed its own text at {} ({:#x}), where a breakpoint {}", point.place,
        point.address.value(), ours ? "is: what stands there in the archive is in doubt" : "was"));
  }
  return changes;
}

Result<bool> CodeTriggers::HoldsFor(const TriggerSpec& spec, const Point& point,
                                    const GdbStop& stop) {
  if (spec.kind == TriggerKind::kOops || spec.kind == TriggerKind::kSoftLockup) {
    const uint64_t wanted = spec.kind == TriggerKind::kOops ? kTaintDie : kTaintSoftLockup;
    return KTSTR_TRY(Register(*qmp_, stop.cpu, "RDI=")) == wanted;
  }
  if (spec.kind == TriggerKind::kPanic && point.place != "panic") {
    // -1: nobody panics (PANIC_CPU_INVALID); the CPUs are stopped for another reason.
    return kernel_->ReadSymbol<int32_t>("panic_cpu").value_or(0) != -1;
  }
  return true;
}

CodeTriggers::Point* CodeTriggers::FindInstruction(uint64_t rip) {
  const auto found = std::ranges::find_if(
      points_, [&](const Point& point) { return point.size == 0 && point.address.value() == rip; });
  return found == points_.end() ? nullptr : &*found;
}

Result<std::optional<Fired>> CodeTriggers::Identify(const GdbStop& stop) {
  const bool write = stop.reason == GdbStop::Reason::kWatchpoint;
  if (stop.reason != GdbStop::Reason::kBreakpoint && !write) return std::nullopt;
  Point* point = nullptr;
  if (write) {
    const uint64_t at = stop.address.value_or(Kva(0)).value();
    const auto found = std::ranges::find_if(
        points_, [&](const Point& p) { return at - p.address.value() < p.size; });
    if (found != points_.end()) point = &*found;
  } else {
    point = FindInstruction(KTSTR_TRY(Register(*qmp_, stop.cpu, "RIP=")).value_or(0));
  }
  if (point == nullptr) return std::nullopt;
  for (const TriggerSpec& spec : point->specs) {
    if (!KTSTR_TRY(HoldsFor(spec, *point, stop))) continue;
    Fired fired = FiredBy(
        spec, fmt::format("CPU {} {} {}", stop.cpu, write ? "wrote to" : "is at", point->place),
        {{"cpu", std::to_string(stop.cpu)}, {"symbol", point->place}});
    std::optional<Kva> ending;
    if (spec.kind == TriggerKind::kSchedulerExit) {
      const auto argument = KTSTR_TRY(Register(*qmp_, stop.cpu, "RDI="));
      if (argument) ending = EndingScheduler(*kernel_, point->place, Kva(*argument));
    }
    AddAccount(*kernel_, spec.kind, ending, &fired);
    return fired;
  }
  return std::nullopt;
}

Status CodeTriggers::GoOn(const GdbStop& stop) {
  if (stop.reason == GdbStop::Reason::kBreakpoint) {
    const uint64_t rip = KTSTR_TRY(Register(*qmp_, stop.cpu, "RIP=")).value_or(0);
    if (const Point* here = FindInstruction(rip)) {
      KTSTR_TRY(stub_->SelectCpu(stop.cpu));
      KTSTR_TRY(stub_->RemoveBreakpoint(here->address, here->kind));
      KTSTR_TRY(stub_->Step(stop.cpu));
      KTSTR_TRY(stub_->SetBreakpoint(here->address, here->kind));
    }
  }
  return stub_->Continue();
}

}  // namespace ktstr
