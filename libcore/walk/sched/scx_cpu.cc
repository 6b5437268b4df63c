#include "libcore/walk/sched/scx_cpu.h"

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/members/scx.h"
#include "libcore/walk/row/enum_text.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/sched/scx_instance.h"

namespace ktstr {

namespace {

// SCX_SCHED_PCPU_BYPASSING of enum scx_sched_pcpu_flags.
constexpr uint64_t kBypassing = 1;

// enum scx_cap_flags also has the flags' bit numbers (__SCX_CAP_ENQ), the number of them, and a
// name for one of them by what it is good for (SCX_CAP_BASE): flags are looked up by these names.
struct Cap {
  std::string_view enumerator, name;
};
constexpr Cap kCaps[] = {{"SCX_CAP_ENQ_IMMED", "enq_immed"},
                         {"SCX_CAP_ENQ", "enq"},
                         {"SCX_CAP_PREEMPT", "preempt"},
                         {"SCX_CAP_PERF", "perf"}};

class ScxCpuWalker {
 public:
  explicit ScxCpuWalker(const Walk& walk) : walk_(walk), masks_(walk) {
    if (!pcpu_.ecaps) return;
    for (const Cap& cap : kCaps) {
      if (const auto value = walk.types.FindEnumerator(cap.enumerator)) {
        caps_.emplace_back(static_cast<uint64_t>(*value), cap.name);
      }
    }
  }

  std::vector<ScxCpuRow> Run() {
    std::vector<ScxCpuRow> rows;
    const std::vector<CpuRef> cpus = ListCpus(walk_);
    int64_t scheduler = 0;
    for (const ScxInstance& instance : ListScxInstances(walk_)) {
      const auto pcpu = PcpuOf(instance);
      for (const CpuRef& cpu : pcpu ? cpus : std::vector<CpuRef>()) {
        const auto at = walk_.kernel.PerCpu(*pcpu, cpu.cpu);
        if (at) {
          rows.push_back(Read(scheduler, instance, cpu.cpu, *at));
        } else {
          walk_.anomalies.Add(at.error(), *pcpu, "finding what a scheduler has of a CPU");
        }
      }
      ++scheduler;
    }
    return rows;
  }

 private:
  std::optional<Kva> PcpuOf(const ScxInstance& instance) const {
    if (!instance.sched) return std::nullopt;
    const auto pcpu = CellReader(walk_, *instance.sched, "a scheduler").Pointer(sched_.pcpu);
    return pcpu && !pcpu->is_null() ? pcpu : std::nullopt;
  }

  ScxCpuRow Read(int64_t scheduler, const ScxInstance& instance, uint32_t cpu, Kva at) const {
    ScxCpuRow row;
    row.scheduler = scheduler;
    row.cpu = cpu;
    row.pcpu_kva = Hex(at);
    CellReader pcpu(walk_, at, "what a scheduler has of a CPU");
    of_pcpu_.Read(pcpu, row);
    if (const auto flags = pcpu.Unsigned(pcpu_.flags)) row.bypassing = (*flags & kBypassing) != 0;
    // The root scheduler may do everything everywhere, whatever stands there (scx_missing_caps()).
    if (instance.level.value_or(0) != 0) row.caps = CapsOf(pcpu);
    row.to_kick = masks_.ListOf(pcpu, pcpu_.to_kick);
    row.to_kick_if_idle = masks_.ListOf(pcpu, pcpu_.to_kick_if_idle);
    row.to_preempt = masks_.ListOf(pcpu, pcpu_.to_preempt);
    row.to_wait = masks_.ListOf(pcpu, pcpu_.to_wait);
    return row;
  }

  std::optional<std::string> CapsOf(CellReader& pcpu) const {
    const auto ecaps = pcpu.HexOf(pcpu_.ecaps);
    if (!ecaps) return std::nullopt;
    std::string text;
    uint64_t left = ecaps->value;
    for (const auto& [flag, name] : caps_) {
      if ((left & flag) == 0) continue;
      text += (text.empty() ? "" : "|") + std::string(name);
      left &= ~flag;
    }
    if (left != 0) text += (text.empty() ? "" : "|") + ToText(Hex(left));
    return text;
  }

  Walk walk_;
  CpuMaskVars masks_;
  ScxSchedMembers sched_{walk_};
  ScxSchedPcpuMembers pcpu_{walk_};
  RowReader<ScxCpuRow> of_pcpu_{walk_};
  std::vector<std::pair<uint64_t, std::string_view>> caps_;
};

}  // namespace

const RowTable<ScxCpuRow>& ScxCpuRow::Table() {
  using R = ScxCpuRow;
  static const RowTable<R> table(
      "scx_cpu", "What each sched_ext scheduler has of each CPU (6.18 on).", kScxPcpuStruct,
      {
          Col<&R::scheduler>("scheduler", "", "Number in table scx."),
          Col<&R::cpu>("cpu", "", "CPU, as the kernel counts."),
          Col<&R::bypassing>("bypassing", "",
                             "1 while the kernel schedules its tasks there in its stead (7.1 on)."),
          Col<&R::caps>("caps", "",
                        "What a sub-scheduler may do there, by leave of its parent (7.3 on): "
                        "enq_immed, enq, preempt, perf; empty: nothing."),
          Col<&R::to_kick>("to_kick", "", "CPUs that this one is about to kick for it (7.3 on)."),
          Col<&R::to_kick_if_idle>("to_kick_if_idle", "", "Those that are kicked only if idle."),
          Col<&R::to_preempt>("to_preempt", "", "Kicked CPUs that are to be preempted."),
          Col<&R::to_wait>("to_wait", "", "Kicked CPUs whose next switch is waited for."),
          ReadCol<&R::rescue_avg_ns>("rescue_avg_ns", "ns",
                                     "How long the kernel ran tasks there in its stead of late, a "
                                     "decaying sum (7.3 on).",
                                     MaybeAt("rescue_avg")),
          Col<&R::pcpu_kva>("pcpu_kva", "", "Address of the struct scx_sched_pcpu."),
      });
  return table;
}

Result<Walked<ScxCpuRow>> WalkScxCpus(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("scx_cpu");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  Walked<ScxCpuRow> walked;
  walked.rows = ScxCpuWalker(walk).Run();
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
