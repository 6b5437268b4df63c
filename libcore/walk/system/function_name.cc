#include "libcore/walk/system/function_name.h"

#include <fmt/format.h>

namespace ktstr {

std::optional<std::string> FunctionName(TextSymbols& text, Kva function) {
  const auto place = text.Find(function);
  if (!place || place->symbol.empty()) return std::nullopt;
  std::string name(place->symbol);
  if (function != place->begin) name += fmt::format("+{:#x}", function - place->begin);
  if (!place->module.empty()) name += fmt::format(" [{}]", place->module);
  return name;
}

}  // namespace ktstr
