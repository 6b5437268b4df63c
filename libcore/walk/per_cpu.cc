#include "ktstr/walk/per_cpu.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<Kva> ReadPerCpuPointer(const GuestKernel& kernel, const TypeInfo& types,
                                     std::string_view name, uint32_t cpu, Anomalies& anomalies) {
  Kva symbol;
  if (const auto own = kernel.symbol_kva(name)) {
    symbol = *own;
  } else {
    const auto hot = kernel.symbol_kva("pcpu_hot");
    const auto member = types.FindMember("pcpu_hot", name);
    if (!hot || !member) return std::nullopt;
    symbol = *hot + member->offset;
  }
  const auto at = kernel.PerCpu(symbol, cpu);
  const auto value = at ? kernel.Read<Kva>(*at) : tl::unexpected<Error>(at.error());
  if (value) return *value;
  anomalies.Add(value.error(), std::nullopt, fmt::format("reading {} of CPU {}", name, cpu));
  return std::nullopt;
}

}  // namespace ktstr
