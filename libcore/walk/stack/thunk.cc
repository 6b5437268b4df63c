#include "libcore/walk/stack/thunk.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <initializer_list>

namespace ktstr {

// Each rule here knows an instruction by the name of the function in which it lies and by the bytes
// around it, and says how many words lie above the stack pointer before the way back. A CPU can be
// stopped at any instruction, so these matter for the first frame of a stack, and for what was
// interrupted; everything else lies behind a call, where the tables are right.

namespace {

class Code {
 public:
  explicit Code(const CodeAround& around) : around_(around) {}

  uint8_t At(int i) const {
    return std::to_integer<uint8_t>(around_.bytes[static_cast<size_t>(i) + CodeAround::kBefore]);
  }
  bool Is(int at, std::initializer_list<uint8_t> bytes) const {
    return std::all_of(bytes.begin(), bytes.end(), [&](uint8_t b) { return At(at++) == b; });
  }
  // mov %reg,(%rsp), of which an indirect thunk's return is the next instruction.
  bool StoresTarget(int at) const {
    return (At(at) == 0x48 || At(at) == 0x4c) && At(at + 1) == 0x89 && (At(at + 2) & 0xc7) == 4 &&
           At(at + 3) == 0x24;
  }
  // lea 8(%rsp),%rsp
  bool DropsWord() const { return Is(0, {0x48, 0x8d, 0x64, 0x24, 0x08}); }
  // Where the call leads that ends at `ip`.
  std::optional<Kva> CalledBefore(Kva ip) const {
    if (At(-5) != 0xe8) return std::nullopt;
    int32_t distance;
    std::memcpy(&distance, around_.bytes.data() + 1, sizeof distance);
    return ip + static_cast<uint64_t>(int64_t{distance});
  }

 private:
  const CodeAround& around_;
};

OrcEntry At(uint64_t sp_offset, OrcType type) {
  return {static_cast<int16_t>(sp_offset), 0,    OrcRegister::kSp,
          OrcRegister::kUndefined,         type, type == OrcType::kRegs};
}

// __switch_to_asm of x86-64 keeps six registers below its return address, the frame pointer first.
constexpr uint64_t kSwitchFrame = 7 * 8;

// __FILL_RETURN_BUFFER (arch/x86/include/asm/nospec-branch.h) calls over an int3 twice, drops both
// words, and repeats that. How many of them are on the stack.
std::optional<uint64_t> WordsOfReturnBuffer(const Code& code) {
  if (code.Is(0, {0xe8, 1, 0, 0, 0})) return code.At(-1) == 0xcc ? 1 : 0;
  if (code.Is(0, {0x48, 0x83, 0xc4, 0x10})) return 2;   // add $16,%rsp
  if (code.Is(0, {0x49, 0xff, 0xcc})) return 0;         // dec %r12
  if (code.Is(-3, {0x49, 0xff, 0xcc, 0x75})) return 0;  // jnz behind it
  return std::nullopt;
}

}  // namespace

bool IsIndirectThunk(std::string_view symbol) {
  return symbol.starts_with("__x86_indirect_thunk_");
}

bool EndsErrorEntry(std::string_view symbol) { return symbol == "sync_regs"; }

bool IsReturnThunk(std::string_view symbol) {
  return symbol.ends_with("_return_thunk") || symbol == "srso_safe_ret" ||
         symbol == "srso_alias_safe_ret" || symbol == "srso_safe_ret_alias";
}

std::optional<OrcEntry> UnwindBeyondTables(std::string_view symbol, Kva ip,
                                           const CodeAround& around,
                                           std::optional<Kva> error_entry) {
  const Code code(around);
  // Behind the call of its own, a thunk has one word more on the stack than whoever came to it:
  // first the way back from that call, then, in one of an indirect jump, the target.
  if (IsIndirectThunk(symbol)) {
    return At(code.StoresTarget(0) || code.StoresTarget(-4) ? 16 : 8, OrcType::kCall);
  }
  if (IsReturnThunk(symbol)) return At(code.DropsWord() ? 16 : 8, OrcType::kCall);
  // "call error_entry; movq %rax, %rsp" (idtentry_body in arch/x86/entry/entry_64.S): error_entry
  // has pushed all registers, which the table says only behind the second instruction.
  if (symbol.starts_with("asm_") && code.Is(0, {0x48, 0x89, 0xc4}) && error_entry &&
      code.CalledBefore(ip) == error_entry) {
    return At(0, OrcType::kRegs);
  }
  // Linux 6.1 has another alternative in the same place, and one table for both.
  if (const auto words = WordsOfReturnBuffer(code); words && symbol == "__switch_to_asm") {
    OrcEntry orc = At(kSwitchFrame + *words * 8, OrcType::kCall);
    orc.bp_reg = OrcRegister::kPrevSp;
    orc.bp_offset = -16;
    return orc;
  }
  return std::nullopt;
}

}  // namespace ktstr
