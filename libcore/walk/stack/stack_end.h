// StackEnd: where and why a stack ends.
#pragma once

#include <cstdint>
#include <string_view>

namespace ktstr {

// Why a stack ends.
enum class StackEnd : uint8_t {
  // As it should.
  kUserMode,    // what lies before ran in user mode
  kEndOfStack,  // the first function of a kernel thread, idle task or child
  kNeverRan,    // the task was made and waits for its first turn
  kFreed,       // a dead task's stack is given back
  kNotStarted,  // an idle task whose CPU was never started, or is off
  // What lies before exists, but is not known.
  kNoRegisters,  // the task runs on a CPU whose registers are not there
  kReplaced,     // a tracer put its own address in place of the return address
  kNoRule,       // generated code whose stack frame is not known
  // Damage.
  kUnreadable,  // the stack's memory, or the ORC table
  kOffStack,    // the way back leads to no stack of the task or CPU
  kNotText,     // the return address is no code
  kNoTable,     // the table says that this text cannot be unwound
  kLoop,        // the way back leads forward again
  kCap,         // more frames than a stack can hold
};
// "user mode", "end of stack", "never ran", …
std::string_view StackEndName(StackEnd end);
// Whether the stack is whole: everything there was has been unwound.
bool IsWhole(StackEnd end);

}  // namespace ktstr
