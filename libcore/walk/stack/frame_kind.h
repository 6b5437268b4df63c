// What a frame of a stack is.
#pragma once

#include <cstdint>
#include <string_view>

namespace ktstr {

// What the code of the frame itself is. Whether a frame was interrupted, or has called something,
// is told by the frame above it: above a function that was interrupted stands one of kInterrupt or
// kException.
enum class FrameKind : uint8_t {
  kCall,       // a function
  kInterrupt,  // the entry of an interrupt or NMI, which keeps the interrupted registers
  kException,  // that of an exception
  kSyscall,    // that of a system call
  kEntry,      // entry or exit code that all of those share
  kBpf,        // code that BPF's compiler made
};
// "call", "interrupt", "exception", "syscall", "entry", "bpf".
std::string_view FrameKindName(FrameKind kind);

// Whether the code of that name goes from user mode into a system call, or back.
bool IsSyscallEntry(std::string_view symbol);

// Whether the code of that name is where FRED delivers events, from user mode or from the kernel.
bool IsFredEntry(std::string_view symbol);
// Of an event that came by it, by its type there (the event types of the FRED specification, 5.2;
// EVENT_TYPE_* in arch/x86/include/asm/fred.h).
FrameKind KindOfFredEvent(uint64_t type);

// Of code that keeps the registers of what it interrupts, by its name.
FrameKind KindOfRegsFrame(std::string_view symbol);

}  // namespace ktstr
