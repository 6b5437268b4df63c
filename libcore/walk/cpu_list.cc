#include "ktstr/walk/cpu_list.h"

#include "ktstr/walk/cpu_mask.h"

namespace ktstr {

namespace {

std::optional<CpuMask> MaskAt(const GuestKernel& kernel, const char* symbol, uint32_t bits,
                              Anomalies& anomalies) {
  const auto kva = kernel.symbol_kva(symbol);
  auto mask = kva ? ReadCpuMask(kernel, *kva, bits) : tl::unexpected<Error>(kva.error());
  if (mask) return *std::move(mask);
  anomalies.Add(mask.error(), std::nullopt, symbol);
  return std::nullopt;
}

}  // namespace

std::vector<CpuRef> ListCpus(const GuestKernel& kernel, Anomalies& anomalies) {
  std::vector<CpuRef> cpus;
  const auto count = kernel.CpuCount();
  if (!count) {
    anomalies.Add(count.error(), std::nullopt, "counting CPUs");
    return cpus;
  }
  const auto possible = MaskAt(kernel, "__cpu_possible_mask", *count, anomalies);
  const auto online = MaskAt(kernel, "__cpu_online_mask", *count, anomalies);
  for (uint32_t cpu = 0; cpu < *count; ++cpu) {
    if (possible && !Contains(*possible, cpu)) continue;
    const auto rq = kernel.PerCpu("runqueues", cpu);
    if (!rq) {
      anomalies.Add(rq.error(), std::nullopt, "finding a CPU's run queue");
      continue;
    }
    cpus.push_back({cpu, *rq, online ? std::optional(Contains(*online, cpu)) : std::nullopt});
  }
  return cpus;
}

}  // namespace ktstr
