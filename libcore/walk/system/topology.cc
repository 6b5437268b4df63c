#include "libcore/walk/system/topology.h"

#include <fmt/format.h>

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/cpu_mask_var.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/row_reader.h"

namespace ktstr {

namespace {

constexpr int64_t kBadApicId = 0xffff;  // BAD_APICID, arch/x86/include/asm/apicdef.h: unknown
constexpr int64_t kNoNode = -1;         // NUMA_NO_NODE

std::optional<int64_t> Unless(std::optional<int64_t> value, int64_t unknown) {
  return value == unknown ? std::nullopt : value;
}

struct CpuInfoMembers : Fields {
  explicit CpuInfoMembers(const Walk& walk) : Fields(walk, "cpuinfo_x86") {}
  MaybeMember initialized = Maybe("initialized"), cluster = Maybe("topo.l2c_id"),
              llc = Maybe("topo.llc_id");
};

class TopologyWalker {
 public:
  explicit TopologyWalker(const Walk& walk) : walk_(walk), masks_(walk) {}

  TopologyRow Read(const CpuRef& cpu) {
    TopologyRow row;
    row.cpu = cpu.cpu;
    if (cpu.online) row.online = *cpu.online ? 1 : 0;
    if (const auto info = Find("cpu_info", cpu.cpu)) {
      CellReader object(walk_, *info, "a CPU's cpu_info");
      // All zero before the CPU came online for the first time.
      if (object.Integer(info_.initialized).value_or(1) != 0) FillPlace(object, cpu.cpu, row);
    }
    row.node = NodeOf(cpu.cpu);
    row.thread_siblings = masks_.ListOfPerCpu("cpu_sibling_map", cpu.cpu);
    row.core_siblings = masks_.ListOfPerCpu("cpu_core_map", cpu.cpu);
    row.die_siblings = masks_.ListOfPerCpu("cpu_die_map", cpu.cpu);
    row.llc_siblings = masks_.ListOfPerCpu("cpu_llc_shared_map", cpu.cpu);
    return row;
  }

 private:
  void FillPlace(CellReader& info, uint32_t cpu, TopologyRow& row) {
    columns_.Read(info, row);
    const auto cluster =
        info_.cluster ? info.Integer(info_.cluster) : PerCpuNumber("cpu_l2c_id", cpu);
    row.cluster = Unless(cluster, kBadApicId);
    const auto llc = info_.llc ? info.Integer(info_.llc) : PerCpuNumber("cpu_llc_id", cpu);
    row.llc = Unless(llc, kBadApicId);
  }

  std::optional<int64_t> NodeOf(uint32_t cpu) {
    // What cpu_to_node() reads; the other is its origin (arch/x86/mm/numa.c).
    for (const char* variable : {"numa_node", "x86_cpu_to_node_map"}) {
      if (walk_.types.FindVariable(variable)) return Unless(PerCpuNumber(variable, cpu), kNoNode);
    }
    return std::nullopt;
  }

  std::optional<Kva> Find(const char* variable, uint32_t cpu) {
    if (!walk_.types.FindVariable(variable)) return std::nullopt;
    const auto kva = walk_.kernel.PerCpu(variable, cpu);
    if (kva) return *kva;
    walk_.anomalies.Add(kva.error(), std::nullopt,
                        fmt::format("finding {} of CPU {}", variable, cpu));
    return std::nullopt;
  }

  // A per-CPU integer of whatever width.
  std::optional<int64_t> PerCpuNumber(const char* variable, uint32_t cpu) {
    const auto kva = Find(variable, cpu);
    const auto type = walk_.types.FindVariable(variable);
    if (!kva || !type) return std::nullopt;
    const auto size = walk_.types.SizeOf(*type);
    if (!size) return std::nullopt;
    const Member whole = {.size = *size,
                          .type = *type,
                          .kind = walk_.types.KindOf(*type),
                          .is_signed = walk_.types.IsSigned(*type)};
    return CellReader(walk_, *kva, variable).Integer(whole);
  }

  Walk walk_;
  CpuInfoMembers info_{walk_};
  RowReader<TopologyRow> columns_{walk_};
  CpuMaskVars masks_;
};

}  // namespace

const RowTable<TopologyRow>& TopologyRow::Table() {
  using R = TopologyRow;
  static const RowTable<R> table(
      "topology", "Where each CPU is in the machine.", Structure{"cpuinfo_x86"},
      {
          Col<&R::cpu>("cpu", "", "Number, as the kernel counts."),
          Col<&R::online>("online", "", "1 when it is online."),
          ReadCol<&R::package>("package", "", "Physical package (socket).",
                               MaybeAt("topo.pkg_id", "phys_proc_id")),
          ReadCol<&R::die>("die", "", "Die within the package.",
                           MaybeAt("topo.die_id", "cpu_die_id")),
          Col<&R::cluster>("cluster", "", "Cluster of cores that share an L2 cache."),
          ReadCol<&R::core>("core", "", "Core, as the hardware counts.",
                            MaybeAt("topo.core_id", "cpu_core_id")),
          Col<&R::node>("node", "", "NUMA node; NULL for none."),
          Col<&R::llc>("llc", "", "Last-level cache."),
          Col<&R::thread_siblings>("thread_siblings", "", "CPUs of the same core."),
          Col<&R::core_siblings>("core_siblings", "", "CPUs of the same package."),
          Col<&R::die_siblings>("die_siblings", "", "CPUs of the same die."),
          Col<&R::llc_siblings>("llc_siblings", "", "CPUs that share its last-level cache."),
      });
  return table;
}

Result<Walked<TopologyRow>> WalkTopology(const GuestKernel& kernel) {
  Anomalies anomalies("topology");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies));
  TopologyWalker walker(walk);
  Walked<TopologyRow> walked;
  for (const CpuRef& cpu : ListCpus(walk)) walked.rows.push_back(walker.Read(cpu));
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
