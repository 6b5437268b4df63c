// How to unwind out of a thunk of indirect calls and jumps (arch/x86/lib/retpoline.S). The ORC
// tables have no entries for its first instructions, and none that fit for its return, which goes
// to the target instead of to a caller.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "ktstr/image/orc.h"

namespace ktstr {

// "__x86_indirect_thunk_rax" and so on.
bool IsIndirectThunk(std::string_view symbol);

// "__x86_return_thunk" and those for single processors: what a return jumps to.
bool IsReturnThunk(std::string_view symbol);

// An entry for the instruction that is about to be executed in such a thunk; `around` are the four
// bytes before it and its first four. Behind the call of its own, the thunk has one word more on
// the stack than whoever came to it: first the way back from that call, then the target.
OrcEntry UnwindIndirectThunk(const std::array<std::byte, 8>& around);

}  // namespace ktstr
