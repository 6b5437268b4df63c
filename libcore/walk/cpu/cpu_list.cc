#include "libcore/walk/cpu/cpu_list.h"

#include "libcore/walk/cpu/cpu_mask.h"

namespace ktstr {

namespace {

std::optional<CpuMask> MaskAt(const Walk& walk, const char* symbol, uint32_t bits) {
  const auto kva = walk.kernel.symbol_kva(symbol);
  auto mask = kva ? ReadCpuMask(walk.kernel, *kva, bits) : tl::unexpected<Error>(kva.error());
  if (mask) return *std::move(mask);
  walk.anomalies.Add(mask.error(), std::nullopt, symbol);
  return std::nullopt;
}

}  // namespace

std::vector<CpuRef> ListCpus(const Walk& walk) {
  std::vector<CpuRef> cpus;
  const auto count = walk.kernel.CpuCount();
  if (!count) {
    walk.anomalies.Add(count.error(), std::nullopt, "counting CPUs");
    return cpus;
  }
  const auto possible = MaskAt(walk, "__cpu_possible_mask", *count);
  const auto online = MaskAt(walk, "__cpu_online_mask", *count);
  for (uint32_t cpu = 0; cpu < *count; ++cpu) {
    if (possible && !Contains(*possible, cpu)) continue;
    const auto rq = walk.kernel.PerCpu("runqueues", cpu);
    if (!rq) {
      walk.anomalies.Add(rq.error(), std::nullopt, "finding a CPU's run queue");
      continue;
    }
    cpus.push_back({cpu, *rq, online ? std::optional(Contains(*online, cpu)) : std::nullopt});
  }
  return cpus;
}

}  // namespace ktstr
