#include "libcore/walk/row/globals.h"

namespace ktstr {

std::optional<Kva> Globals::Address(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) {
    if (const auto kva = walk_.kernel.symbol_kva(name)) return *kva;
  }
  return std::nullopt;
}

std::optional<Kva> Globals::Pointer(std::initializer_list<std::string_view> names) const {
  const auto value = Read<uint64_t>(names);
  return value && *value != 0 ? std::optional(Kva(*value)) : std::nullopt;
}

}  // namespace ktstr
