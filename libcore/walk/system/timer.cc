#include "libcore/walk/system/timer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/container/chain.h"
#include "libcore/walk/container/rb_tree.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/system/clock.h"
#include "libcore/walk/system/function_name.h"
#include "libcore/walk/system/hash_buckets.h"
#include "libcore/walk/system/timer_clock.h"
#include "libcore/walk/system/timer_owner.h"

namespace ktstr {

// A CPU has two kinds of timers. The timer wheels (struct timer_base, kernel/time/timer.c) are
// arrays of chains, a chain for each slot of time; how many wheels a CPU has depends on the kernel.
// The high-resolution timers (struct hrtimer_cpu_base, kernel/time/hrtimer.c) have a tree for each
// clock, in the order in which they expire. A timer whose function is running is in neither, but
// its base names it.

namespace {


// include/linux/timer.h. The bits below are the CPU, those above the bucket.
constexpr struct {
  uint64_t bit;
  const char* name;
} kTimerFlags[] = {{0x00040000, "migrating"},
                   {0x00080000, "deferrable"},
                   {0x00100000, "pinned"},
                   {0x00200000, "irqsafe"}};

std::string TimerFlags(uint64_t flags) {
  std::string text;
  for (const auto& [bit, name] : kTimerFlags) {
    if ((flags & bit) != 0) text += fmt::format("{}{}", text.empty() ? "" : "|", name);
  }
  return text;
}

// kernel/time/timer.c: older kernels (6.1) have one base for local and global, and without NO_HZ
// there is one for all.
std::string WheelName(uint64_t index, uint64_t count) {
  constexpr const char* kThree[] = {"local", "global", "deferrable"};
  constexpr const char* kTwo[] = {"standard", "deferrable"};
  if (count == 3) return kThree[index];
  if (count == 2) return kTwo[index];
  return count == 1 ? "standard" : std::to_string(index);
}

// Arrays of structures, as the type of a variable or a member.
struct ArrayShape {
  uint64_t count = 0, element_size = 0;
};

// No kernel has more bases of either kind; what the guest's types say beyond is damage.
constexpr uint64_t kMaxBases = 64;

ArrayShape ShapeOf(const TypeInfo& types, TypeId array) {
  const TypeId type = types.Strip(array);
  if (types.KindOf(type) != TypeKind::kArray) return {1, types.SizeOf(type).value_or(0)};
  return {std::min(types.ElementCount(type), kMaxBases),
          types.SizeOf(types.Target(type)).value_or(0)};
}

struct WheelMembers : Fields {
  explicit WheelMembers(const Walk& walk) : Fields(walk, "timer_base") {}
  MaybeMember vectors = Need("vectors"), running = Maybe("running_timer");
};

struct TimerMembers : Fields {
  explicit TimerMembers(const Walk& walk) : Fields(walk, "timer_list") {}
  MaybeMember entry = Need("entry"), expires = Need("expires"), function = Need("function"),
              flags = Need("flags");
};

struct CpuBaseMembers : Fields {
  explicit CpuBaseMembers(const Walk& walk) : Fields(walk, "hrtimer_cpu_base") {}
  MaybeMember clock_bases = Need("clock_base");
};

struct ClockBaseMembers : Fields {
  explicit ClockBaseMembers(const Walk& walk) : Fields(walk, "hrtimer_clock_base") {}
  MaybeMember active = Need("active"), offset = Maybe("offset"), running = Maybe("running");
};

struct HrtimerMembers : Fields {
  explicit HrtimerMembers(const Walk& walk) : Fields(walk, "hrtimer") {}
  MaybeMember node = Need("node.node"), function = Need("function");
};

class TimerWalker {
 public:
  explicit TimerWalker(const Walk& walk)
      : walk_(walk),
        text_(walk),
        owners_(walk, text_),
        clock_(ReadKernelClock(walk.kernel, walk.anomalies)),
        monotonic_ns_(ReadMonotonicNs(walk)),
        clock_names_(walk.types, {"hrtimer_base_type"}, "HRTIMER_BASE_") {
    wheels_ = Wheels(walk.types);
    if (cpu_base_.clock_bases) clocks_ = ShapeOf(walk.types, cpu_base_.clock_bases->type);
  }

  std::vector<TimerRow> Run(uint32_t cpu) {
    rows_.clear();
    cpu_ = cpu;
    if (const auto wheels = Find("timer_bases"); wheels && wheel_.vectors && timer_.entry) {
      for (uint64_t i = 0; i < wheels_.count; ++i) {
        base_ = WheelName(i, wheels_.count);
        WalkWheel(*wheels + i * wheels_.element_size);
      }
    }
    if (const auto bases = Find("hrtimer_bases");
        bases && cpu_base_.clock_bases && clock_base_.active && hrtimer_.node) {
      for (uint64_t i = 0; i < clocks_.count; ++i) {
        base_ = clock_names_.NameOf(static_cast<int64_t>(i));
        WalkClock(*bases + cpu_base_.clock_bases->offset + i * clocks_.element_size);
      }
    }
    return std::move(rows_);
  }

 private:
  // How many wheels a CPU has is known by the variable's type alone.
  ArrayShape Wheels(const TypeInfo& types) {
    const auto type = types.FindVariable("timer_bases");
    if (type) return ShapeOf(types, *type);
    walk_.anomalies.Add(type.error(), std::nullopt, "counting timer bases");
    return {};
  }

  std::optional<Kva> Find(const char* variable) {
    const auto kva = walk_.kernel.PerCpu(variable, cpu_);
    if (kva) return *kva;
    walk_.anomalies.Add(kva.error(), std::nullopt,
                        fmt::format("finding {} of CPU {}", variable, cpu_));
    return std::nullopt;
  }

  TimerRow NewRow(const char* kind, const char* state, Kva timer, Kva function) {
    TimerRow row;
    row.cpu = cpu_;
    row.kind = kind;
    row.state = state;
    row.base = base_;
    row.timer_kva = Hex(timer);
    row.function_kva = Hex(function);
    const auto [name, is_new] = names_.try_emplace(function.value());
    if (is_new) name->second = FunctionName(text_, function);
    row.function = name->second;
    owners_.Fill(timer, function, row);
    return row;
  }

  void WalkWheel(Kva wheel) {
    const auto running = CellReader(walk_, wheel, "a timer base").Pointer(wheel_.running);
    if (running && !running->is_null()) AddTimer("running", *running);
    const auto firsts = ReadBuckets(walk_.kernel, wheel, *wheel_.vectors);
    const std::string name = fmt::format("{} timers of CPU {}", base_, cpu_);
    if (!firsts) return walk_.anomalies.Add(firsts.error(), wheel, name);
    for (const Kva first : *firsts) {
      for (const Kva node : WalkChain(walk_, first, name)) {
        AddTimer("pending", node - timer_.entry->offset);
      }
    }
  }

  void AddTimer(const char* state, Kva kva) {
    CellReader timer(walk_, kva, "a timer");
    const auto function = timer.Pointer(timer_.function);
    const auto expires = timer.Unsigned(timer_.expires);
    if (!function) return;
    TimerRow row = NewRow("timer", state, kva, *function);
    if (expires) row.expires_jiffies = static_cast<int64_t>(*expires);
    if (expires) {
      const auto since = clock_.NsSince(static_cast<int64_t>(*expires));
      if (since) row.until_ns = -*since;
    }
    if (const auto flags = timer.Unsigned(timer_.flags)) row.flags = TimerFlags(*flags);
    rows_.push_back(std::move(row));
  }

  void WalkClock(Kva clock) {
    CellReader base(walk_, clock, "a clock base");
    const auto offset = base.Integer(clock_base_.offset);
    now_.reset();
    if (monotonic_ns_ && offset) now_ = *monotonic_ns_ + *offset;
    const auto running = base.Pointer(clock_base_.running);
    if (running && !running->is_null()) AddHrtimer("running", *running);
    const std::string name = fmt::format("{} hrtimers of CPU {}", base_, cpu_);
    for (const Kva node : WalkRbTree(walk_, clock + clock_base_.active->offset, name)) {
      AddHrtimer("pending", node - hrtimer_.node->offset);
    }
  }

  void AddHrtimer(const char* state, Kva kva) {
    CellReader timer(walk_, kva, "an hrtimer");
    const auto function = timer.Pointer(hrtimer_.function);
    if (!function) return;
    TimerRow row = NewRow("hrtimer", state, kva, *function);
    columns_.Read(timer, row);
    if (row.expires_ns && now_) row.until_ns = *row.expires_ns - *now_;
    rows_.push_back(std::move(row));
  }

  Walk walk_;
  WheelMembers wheel_{walk_};
  TimerMembers timer_{walk_};
  CpuBaseMembers cpu_base_{walk_};
  ClockBaseMembers clock_base_{walk_};
  HrtimerMembers hrtimer_{walk_};
  RowReader<TimerRow> columns_{walk_};
  TextSymbols text_;
  TimerOwners owners_;
  KernelClock clock_;
  std::optional<int64_t> monotonic_ns_;
  std::optional<int64_t> now_;  // by the clock whose timers are walked
  EnumText clock_names_;
  ArrayShape wheels_, clocks_;
  std::unordered_map<uint64_t, std::optional<std::string>> names_;
  std::vector<TimerRow> rows_;
  uint32_t cpu_ = 0;
  std::string base_;
};

}  // namespace

const RowTable<TimerRow>& TimerRow::Table() {
  using R = TimerRow;
  static const RowTable<R> table(
      "timer", "Timers of each CPU, pending and running.", Structure{"hrtimer"},
      {
          Col<&R::cpu>("cpu", "", "CPU on which it will expire."),
          Col<&R::kind>("kind", "", "timer (of the wheel, in jiffies) or hrtimer."),
          Col<&R::base>("base", "",
                        "timer: local, global, standard or deferrable; hrtimer: its clock."),
          Col<&R::state>("state", "",
                         "pending, or running: its function runs now, which may free the timer "
                         "or start it again."),
          Col<&R::expires_jiffies>("expires_jiffies", "", "timer: when, in jiffies."),
          ReadCol<&R::expires_ns>("expires_ns", "ns", "hrtimer: when at the latest, by its clock.",
                                  At("node.expires")),
          ReadCol<&R::soft_expires_ns>("soft_expires_ns", "ns", "hrtimer: when at the earliest.",
                                       MaybeAt("_softexpires")),
          Col<&R::until_ns>("until_ns", "ns",
                            "Time left, negative when overdue: from the kernel's last update of "
                            "jiffies or of the clock, which may be a tick ago, and more when all "
                            "CPUs are idle."),
          Col<&R::function>("function", "", "What it calls."),
          Col<&R::flags>("flags", "", "timer: deferrable, pinned, irqsafe, migrating."),
          Col<&R::pid>("pid", "",
                       "Thread that sleeps until then, or whose deadline it is, where known."),
          Col<&R::comm>("comm", "", "Its name."),
          Col<&R::detail>(
              "detail", "",
              "What else it is for: delayed work and its workqueue, the cgroup of a quota."),
          Col<&R::function_kva>("function_kva", "", "Address of the function."),
          Col<&R::timer_kva>("timer_kva", "", "Address of the timer_list or hrtimer."),
          Col<&R::task_kva>("task_kva", "", "Address of the thread's task_struct."),
      });
  return table;
}

Result<Walked<TimerRow>> WalkTimers(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("timer");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  // A kernel that knows neither the variable nor its type has no timers of these kinds.
  if (!kernel.symbol_kva("timer_bases") && !walk.types.FindStruct("timer_base")) {
    return Walked<TimerRow>();
  }
  TimerWalker walker(walk);
  Walked<TimerRow> walked;
  for (const CpuRef& cpu : ListCpus(walk)) {
    for (TimerRow& row : walker.Run(cpu.cpu)) walked.rows.push_back(std::move(row));
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
