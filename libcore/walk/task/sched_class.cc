#include "libcore/walk/task/sched_class.h"

namespace ktstr {

SchedClasses::SchedClasses(const GuestKernel& kernel) {
  for (const char* name : {"fair", "rt", "dl", "ext", "idle", "stop"}) {
    const auto symbol = kernel.symbol_kva(SymbolOf(name));
    if (symbol) names_.emplace(symbol->value(), name);
  }
}

std::string SchedClasses::SymbolOf(std::string_view name) {
  return std::string(name) + "_sched_class";
}

std::optional<std::string> SchedClasses::NameOf(Kva sched_class) const {
  const auto found = names_.find(sched_class.value());
  if (found == names_.end()) return std::nullopt;
  return found->second;
}

}  // namespace ktstr
