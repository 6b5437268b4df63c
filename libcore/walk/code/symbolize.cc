#include "libcore/walk/code/symbolize.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<std::string> SymbolizeText(TextSymbols& text, Kva kva) {
  const auto place = text.Find(kva);
  if (!place || place->symbol.empty()) return std::nullopt;
  const std::string symbol = fmt::format("{}+{:#x}", place->symbol, kva - place->begin);
  return place->module.empty() ? symbol : fmt::format("{} [{}]", symbol, place->module);
}

std::optional<std::string> SymbolizeText(const GuestKernel& kernel, Kva kva) {
  Anomalies ignored("");
  TextSymbols text(kernel, {}, ignored);
  return SymbolizeText(text, kva);
}

std::optional<std::string> SymbolizeAddress(const GuestKernel& kernel, TextSymbols& text, Kva kva) {
  if (auto symbol = SymbolizeText(text, kva)) return symbol;
  const auto begin = kernel.symbol_kva("_text");
  const auto end = kernel.symbol_kva("_end");
  if (!begin || !end || kva < *begin || kva >= *end) return std::nullopt;
  const auto symbol = kernel.symbols().FindAt(kva.value());
  if (!symbol) return std::nullopt;
  return fmt::format("{}+{:#x}", symbol->name, kva.value() - symbol->address);
}

}  // namespace ktstr
