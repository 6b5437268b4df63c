#include "ktstr/walk/stack/indirect_thunk.h"

#include <cstdint>

namespace ktstr {

namespace {

// mov %reg,(%rsp), of which the thunk's return is the next instruction.
bool StoresTarget(const std::byte* code) {
  const auto at = [&](size_t i) { return std::to_integer<uint8_t>(code[i]); };
  return (at(0) == 0x48 || at(0) == 0x4c) && at(1) == 0x89 && (at(2) & 0xc7) == 0x04 &&
         at(3) == 0x24;
}

}  // namespace

bool IsIndirectThunk(std::string_view symbol) {
  return symbol.starts_with("__x86_indirect_thunk_");
}

bool IsReturnThunk(std::string_view symbol) { return symbol.ends_with("_return_thunk"); }

OrcEntry UnwindIndirectThunk(const std::array<std::byte, 8>& around) {
  const bool called = StoresTarget(around.data()) || StoresTarget(around.data() + 4);
  return {static_cast<int16_t>(called ? 16 : 8),
          0,
          OrcRegister::kSp,
          OrcRegister::kUndefined,
          OrcType::kCall,
          false};
}

}  // namespace ktstr
