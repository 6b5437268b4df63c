#include "ktstr/walk/text/symbolize.h"

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

}  // namespace ktstr
