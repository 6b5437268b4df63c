#include "libcore/walk/sched/scx.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <unordered_map>

#include "libcore/walk/code/symbolize.h"
#include "libcore/walk/container/list.h"
#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/members/task.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/globals.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/scx_instance.h"
#include "libcore/walk/sched/scx_programs.h"
#include "libcore/walk/sched/scx_status.h"
#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {

// SCX_EXIT_BT_LEN is 64 and SCX_EXIT_MSG_LEN 1024 in kernel/sched/ext.c; the dump's length is the
// scheduler's to choose.
constexpr int64_t kMaxBacktrace = 1024;
constexpr size_t kMaxText = size_t{4} << 10;
constexpr size_t kMaxDump = size_t{8} << 20;

struct OpsMembers : Fields {
  explicit OpsMembers(const Walk& walk) : Fields(walk, kScxOpsStruct) {}
  MaybeMember name = Need(ops_member::kName), flags = Need("flags");
};

// The members of struct sched_ext_ops or sched_ext_ops_cid that are functions.
std::vector<NamedMember> CallbacksOf(const TypeInfo& types, const Structure& structure) {
  std::vector<NamedMember> callbacks;
  const auto ops = types.FindStruct(structure.name);
  if (!ops) return callbacks;
  for (const NamedMember& m : types.MembersOf(*ops)) {
    if (m.member.kind != TypeKind::kPointer) continue;
    if (types.KindOf(types.Target(m.member.type)) == TypeKind::kFunction) callbacks.push_back(m);
  }
  return callbacks;
}

struct ExitMembers : Fields {
  explicit ExitMembers(const Walk& walk) : Fields(walk, "scx_exit_info") {}
  MaybeMember kind = Need("kind"), reason = Need("reason"), msg = Need("msg"), bt = Maybe("bt"),
              bt_len = Maybe("bt_len"), dump = Maybe("dump");
};

std::string EventName(std::string_view member) {
  constexpr std::string_view kPrefix = "SCX_EV_";
  if (member.starts_with(kPrefix)) member.remove_prefix(kPrefix.size());
  return std::string(member);
}

class ScxWalker {
 public:
  explicit ScxWalker(const Walk& walk)
      : walk_(walk),
        globals_(walk),
        clock_(ReadKernelClock(walk.kernel, walk.anomalies)),
        status_(walk),
        exit_kinds_(walk.types, {"scx_exit_kind"}, "SCX_EXIT_"),
        ops_flags_(walk.types, {"scx_ops_flags"}, "SCX_OPS_"),
        programs_(walk) {}

  ScxState Run() {
    FindOldest();
    for (const ScxInstance& instance : ListScxInstances(walk_)) {
      Add(instance);
    }
    return std::move(state_);
  }
  ScxRow ReadAt(Kva sched) {
    FindOldest();
    Add(ScxInstanceAt(walk_, sched));
    return std::move(state_.schedulers.front());
  }

 private:
  // A task that is runnable.
  struct Waiting {
    int64_t runnable_at;
    std::optional<int64_t> pid;
  };

  void Add(const ScxInstance& instance) {
    ScxRow row;
    row.scheduler = static_cast<int64_t>(state_.schedulers.size());
    row.level = instance.level;
    if (instance.parent) row.parent = static_cast<int64_t>(*instance.parent);
    if (instance.is_cid_type) row.form = *instance.is_cid_type ? "cid" : "cpu";
    ReadGlobals(row);
    row.watchdog_timeout_ms = ToMs(status_.WatchdogTimeout(walk_, instance));
    ReadSched(instance, row);
    TellOldest(instance, row);
    if (instance.ops) ReadOps(instance, *instance.ops, row);
    ReadExit(instance, row);
    ReadEvents(instance, row.scheduler);
    state_.schedulers.push_back(std::move(row));
  }

  std::optional<int64_t> ToMs(std::optional<int64_t> jiffies) const {
    return jiffies ? clock_.ToMs(*jiffies) : std::nullopt;
  }

  void ReadGlobals(ScxRow& row) {
    row.enable_state = status_.EnableState(walk_);
    row.switch_all = globals_.Read<uint8_t>({"scx_switching_all"});
    row.bypass_depth = globals_.Read<int32_t>({"scx_bypass_depth", "scx_ops_bypass_depth"});
    row.enable_seq = globals_.Read<int64_t>({"scx_enable_seq"});
    row.nr_rejected = globals_.Read<int64_t>({"scx_nr_rejected"});
    row.hotplug_seq = globals_.Read<int64_t>({"scx_hotplug_seq"});
    row.watchdog_timestamp = globals_.Read<int64_t>({"scx_watchdog_timestamp"});
    if (row.watchdog_timestamp && clock_.jiffies) {
      row.watchdog_age_ms = ToMs(*clock_.jiffies - *row.watchdog_timestamp);
    }
  }

  void ReadSched(const ScxInstance& instance, ScxRow& row) {
    if (!instance.sched) return;
    row.sched_kva = Hex(*instance.sched);
    CellReader sched(walk_, *instance.sched, "a scheduler");
    of_sched_.Read(sched, row);
    if (sched_.bypass_depth) row.bypass_depth = sched.Integer(sched_.bypass_depth);
    if (const auto path = sched.Pointer(sched_.cgrp_path)) row.cgroup = TextAt(*path, kMaxText);
  }

  // What the watchdog looks at: check_rq_for_timeouts() in kernel/sched/ext.c. From 7.1 on a task
  // may wait for as long as the scheduler that owns it says; before, all belong to the only one.
  void FindOldest() {
    if (!clock_.jiffies) return;
    if (!rq_.runnable_list || !runnable_.node || !runnable_.at) return;
    for (const CpuRef& cpu : ListCpus(walk_)) {
      for (const Kva entry : WalkList(walk_, cpu.rq + rq_.runnable_list->offset, "runnable_list")) {
        CellReader object(walk_, entry - runnable_.node->offset, "a runnable task");
        const auto runnable_at = object.Integer(runnable_.at);
        const auto owner = runnable_.sched ? object.Pointer(runnable_.sched) : Kva();
        if (!runnable_at || !owner) continue;
        const auto known = oldest_.find(owner->value());
        if (known != oldest_.end() && *runnable_at - known->second.runnable_at >= 0) continue;
        oldest_[owner->value()] = {*runnable_at, object.Integer(pid_)};
      }
    }
  }

  void TellOldest(const ScxInstance& instance, ScxRow& row) const {
    const Kva owner = runnable_.sched ? instance.sched.value_or(Kva()) : Kva();
    const auto oldest = oldest_.find(owner.value());
    if (oldest == oldest_.end()) return;
    row.oldest_runnable_pid = oldest->second.pid;
    row.oldest_waiting_ms = ToMs(*clock_.jiffies - oldest->second.runnable_at);
    if (row.watchdog_timeout_ms && row.oldest_waiting_ms) {
      row.watchdog_margin_ms = *row.watchdog_timeout_ms - *row.oldest_waiting_ms;
    }
  }

  void ReadOps(const ScxInstance& instance, Kva kva, ScxRow& row) {
    row.ops_kva = Hex(kva);
    CellReader ops(walk_, kva, "struct sched_ext_ops");
    const auto name = ops.Text(ops_.name);
    // Unloading zeroes the whole table.
    if (!name || name->empty()) return;
    row.ops_name = *name;
    if (const auto flags = ops.Unsigned(ops_.flags)) row.ops_flags = ops_flags_.FlagsOf(*flags);
    of_ops_.Read(ops, row);
    const bool is_cid = instance.is_cid_type.value_or(false);
    const auto programs = programs_.Of(kva, is_cid ? kScxCidOpsStruct : kScxOpsStruct);
    for (const NamedMember& callback : is_cid ? cid_callbacks_ : callbacks_) {
      const auto address = ops.Pointer(callback.member);
      if (!address) continue;
      ScxOpRow op;
      op.scheduler = row.scheduler;
      op.op = callback.name;
      op.set = address->is_null() ? 0 : 1;
      if (op.set != 0) {
        op.address = Hex(*address);
        if (const auto found = programs.find(callback.member.offset); found != programs.end()) {
          op.prog_id = found->second.id;
          op.prog_name = found->second.name;
        }
      }
      state_.ops.push_back(std::move(op));
    }
  }

  void ReadExit(const ScxInstance& instance, ScxRow& row) {
    std::optional<int64_t> kind;
    if (instance.exit_kind) {
      kind = globals_.ReadAt<int32_t>(*instance.exit_kind, "scx_exit_kind");
    }
    if (instance.exit_info) {
      CellReader info(walk_, *instance.exit_info, "struct scx_exit_info");
      // Once it is being disabled the kind is "done"; the information still has the real one.
      const auto known = info.Integer(exit_.kind);
      if (known && *known != 0) kind = known;
      if (kind.value_or(0) != 0) ReadExitInfo(info, row);
    }
    if (kind) row.exit_kind = exit_kinds_.NameOf(*kind);
  }

  void ReadExitInfo(CellReader& info, ScxRow& row) {
    of_exit_.Read(info, row);
    row.exit_reason = TextOf(info, exit_.reason, kMaxText);
    row.exit_message = TextOf(info, exit_.msg, kMaxText);
    row.exit_dump = TextOf(info, exit_.dump, kMaxDump);
    const auto count = info.Integer(exit_.bt_len);
    const auto frames = info.Pointer(exit_.bt);
    if (!count || !frames || frames->is_null() || *count == 0) return;
    std::string text;
    for (int64_t i = 0; i < std::min(*count, kMaxBacktrace); ++i) {
      const auto ip =
          globals_.ReadAt<uint64_t>(*frames + static_cast<uint64_t>(i) * 8, "the exit's backtrace");
      if (!ip) break;
      const auto symbol = SymbolizeText(walk_.kernel, Kva(*ip));
      text += (text.empty() ? "" : "\n") + (symbol ? *symbol : fmt::format("{:#018x}", *ip));
    }
    row.exit_backtrace = std::move(text);
  }

  std::optional<std::string> TextOf(CellReader& object, const MaybeMember& pointer, size_t max) {
    const auto kva = object.Pointer(pointer);
    return kva ? TextAt(*kva, max) : std::nullopt;
  }
  // Nothing for a null pointer and for an empty text. A page that is missing ends it: what stands
  // before is kept.
  std::optional<std::string> TextAt(Kva kva, size_t max) {
    if (kva.is_null()) return std::nullopt;
    std::string text;
    while (text.size() < max) {
      const Kva at = kva + text.size();
      const auto in_page = std::min<size_t>(max - text.size(), kPageSize - at.page_offset());
      const auto part = walk_.kernel.ReadString(at, in_page);
      if (!part) {
        walk_.anomalies.Add(part.error(), at, "reading a text of sched_ext's");
        break;
      }
      text += *part;
      if (part->size() < in_page) break;
    }
    if (text.size() == max) {
      walk_.anomalies.Add("cap", kva, fmt::format("a text of {} bytes or more", max));
    }
    return text.empty() ? std::nullopt : std::optional(std::move(text));
  }

  // Where the counters of each CPU stand, as an address to add the CPU's offset to.
  std::optional<Kva> EventStats(const ScxInstance& instance) {
    if (!instance.sched) return globals_.Address({"event_stats_cpu"});
    CellReader sched(walk_, *instance.sched, "a scheduler");
    if (sched_.event_stats_cpu) return sched.Pointer(sched_.event_stats_cpu);
    const auto pcpu = sched.Pointer(sched_.pcpu);
    return pcpu && pcpu_.event_stats ? std::optional(*pcpu + pcpu_.event_stats->offset)
                                     : std::nullopt;
  }

  void ReadEvents(const ScxInstance& instance, int64_t scheduler) {
    const auto type = walk_.types.FindStruct("scx_event_stats");
    if (!type) return;
    const auto stats = EventStats(instance);
    if (!stats || stats->is_null()) return;
    const std::vector<CpuRef> cpus = ListCpus(walk_);
    for (const NamedMember& counter : walk_.types.MembersOf(*type)) {
      int64_t sum = 0;
      for (const CpuRef& cpu : cpus) {
        const auto base = walk_.kernel.PerCpu(*stats, cpu.cpu);
        if (!base) continue;
        CellReader object(walk_, *base, "event counters");
        sum += object.Integer(counter.member).value_or(0);
      }
      state_.events.push_back({scheduler, EventName(counter.name), sum});
    }
  }

  Walk walk_;
  Globals globals_;
  KernelClock clock_;
  OpsMembers ops_{walk_};
  std::vector<NamedMember> callbacks_ = CallbacksOf(walk_.types, kScxOpsStruct);
  std::vector<NamedMember> cid_callbacks_ = CallbacksOf(walk_.types, kScxCidOpsStruct);
  ExitMembers exit_{walk_};
  ScxSchedMembers sched_{walk_};
  ScxSchedPcpuMembers pcpu_{walk_};
  ScxRqMembers rq_{walk_};
  RunnableMembers runnable_{walk_};
  MaybeMember pid_ = Fields(walk_, kTaskStruct).Maybe(task_member::kPid);
  RowReader<ScxRow> of_ops_{walk_, kScxOpsStruct.name}, of_exit_{walk_, "scx_exit_info"};
  RowReader<ScxRow> of_sched_{walk_, kScxSchedStruct.name};
  std::unordered_map<uint64_t, Waiting> oldest_;  // by the owner's struct scx_sched; 0: all of them
  ScxStatus status_;
  EnumText exit_kinds_, ops_flags_;
  ScxPrograms programs_;
  ScxState state_;
};

}  // namespace

Result<ScxState> WalkScx(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("scx");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  // A kernel without sched_ext lacks nothing.
  if (!walk.types.FindStruct("sched_ext_ops")) return ScxState{};
  ScxState state = ScxWalker(walk).Run();
  state.anomalies = std::move(anomalies).Take();
  return state;
}

Result<ScxRow> ReadScxScheduler(const GuestKernel& kernel, Kva sched) {
  Anomalies anomalies("scx");
  return ScxWalker(KTSTR_TRY(Walk::Of(kernel, anomalies))).ReadAt(sched);
}

}  // namespace ktstr
