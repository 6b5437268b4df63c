#include "ktstr/walk/symbolize.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<std::string> SymbolizeText(const GuestKernel& kernel, Kva kva) {
  const auto begin = kernel.symbol_kva("_text");
  const auto end = kernel.symbol_kva("_etext");
  if (!begin || !end || kva < *begin || kva >= *end) return std::nullopt;
  const auto symbol = kernel.symbols().FindAt(kva.value());
  if (!symbol) return std::nullopt;
  return fmt::format("{}+{:#x}", symbol->name, kva.value() - symbol->address);
}

}  // namespace ktstr
