#include "libcore/walk/cpu/per_cpu.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<Kva> ReadPerCpuPointer(const Walk& walk, std::string_view name, uint32_t cpu) {
  Kva symbol;
  if (const auto own = walk.kernel.symbol_kva(name)) {
    symbol = *own;
  } else {
    const auto hot = walk.kernel.symbol_kva("pcpu_hot");
    const auto member = walk.types.FindMember("pcpu_hot", name);
    if (!hot || !member) return std::nullopt;
    symbol = *hot + member->offset;
  }
  const auto at = walk.kernel.PerCpu(symbol, cpu);
  const auto value = at ? walk.kernel.Read<Kva>(*at) : tl::unexpected<Error>(at.error());
  if (value) return *value;
  walk.anomalies.Add(value.error(), std::nullopt, fmt::format("reading {} of CPU {}", name, cpu));
  return std::nullopt;
}

}  // namespace ktstr
