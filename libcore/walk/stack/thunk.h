// How to unwind from single instructions for which the kernel's ORC tables have no entries, or none
// that fit: in the thunks that jumps and returns go through where the processor's speculation is
// held off (arch/x86/lib/retpoline.S), at the entry of interrupts, and where tasks are switched.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "libcore/base/address.h"
#include "libcore/image/orc.h"

namespace ktstr {

// "__x86_indirect_thunk_rax" and so on. Its return goes to the target instead of to a caller.
bool IsIndirectThunk(std::string_view symbol);

// "__x86_return_thunk", and those for single processors with what they consist of,
// "srso_return_thunk" and "srso_safe_ret": what a return jumps to.
bool IsReturnThunk(std::string_view symbol);

// The function that error_entry jumps to when it has pushed all registers: it returns to where
// error_entry was called.
bool EndsErrorEntry(std::string_view symbol);

// Code around an instruction.
struct CodeAround {
  static constexpr size_t kBefore = 5;
  std::array<std::byte, kBefore + 5> bytes;  // the instruction begins at kBefore
};

// An entry for the instruction that is about to be executed at `ip`, in the function `symbol`, when
// it is one of those; `error_entry`: the function of that name.
std::optional<OrcEntry> UnwindBeyondTables(std::string_view symbol, Kva ip,
                                           const CodeAround& around,
                                           std::optional<Kva> error_entry);

}  // namespace ktstr
