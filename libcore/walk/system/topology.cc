#include "ktstr/walk/system/topology.h"

#include <fmt/format.h>

#include "ktstr/walk/cpu_list.h"
#include "ktstr/walk/cpu_mask_var.h"
#include "ktstr/walk/fields.h"

namespace ktstr {

namespace {

constexpr int64_t kBadApicId = 0xffff;  // BAD_APICID, arch/x86/include/asm/apicdef.h: unknown
constexpr int64_t kNoNode = -1;         // NUMA_NO_NODE

std::optional<int64_t> Unless(std::optional<int64_t> value, int64_t unknown) {
  return value == unknown ? std::nullopt : value;
}

class TopologyWalker {
 public:
  explicit TopologyWalker(const Walk& walk) : walk_(walk), masks_(walk) {
    Fields info(walk, "cpuinfo_x86");
    initialized_ = info.Maybe("initialized");
    // Older kernels (6.1) have them in cpuinfo_x86 itself, and the caches in variables.
    package_ = info.Maybe("topo.pkg_id", "phys_proc_id");
    die_ = info.Maybe("topo.die_id", "cpu_die_id");
    core_ = info.Maybe("topo.core_id", "cpu_core_id");
    cluster_ = info.Maybe("topo.l2c_id");
    llc_ = info.Maybe("topo.llc_id");
  }

  TopologyRow Read(const CpuRef& cpu) {
    TopologyRow row;
    row.cpu = cpu.cpu;
    if (cpu.online) row.online = *cpu.online ? 1 : 0;
    if (const auto info = Find("cpu_info", cpu.cpu)) {
      CellReader object(walk_, *info, "a CPU's cpu_info");
      // All zero before the CPU came online for the first time.
      if (object.Integer(initialized_).value_or(1) != 0) FillPlace(object, cpu.cpu, row);
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
    row.package = info.Integer(package_);
    row.die = info.Integer(die_);
    row.core = info.Integer(core_);
    const auto cluster = cluster_ ? info.Integer(cluster_) : PerCpuNumber("cpu_l2c_id", cpu);
    row.cluster = Unless(cluster, kBadApicId);
    const auto llc = llc_ ? info.Integer(llc_) : PerCpuNumber("cpu_llc_id", cpu);
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
  CpuMaskVars masks_;
  MaybeMember initialized_, package_, die_, core_, cluster_, llc_;
};

}  // namespace

const RowTable<TopologyRow>& TopologyRow::Table() {
  using R = TopologyRow;
  static const RowTable<R> table(
      "topology", "Where each CPU is in the machine.",
      {
          Col<&R::cpu>("cpu", "", "Number, as the kernel counts."),
          Col<&R::online>("online", "", "1 when it is online."),
          Col<&R::package>("package", "", "Physical package (socket)."),
          Col<&R::die>("die", "", "Die within the package."),
          Col<&R::cluster>("cluster", "", "Cluster of cores that share an L2 cache."),
          Col<&R::core>("core", "", "Core, as the hardware counts."),
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
