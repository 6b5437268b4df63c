// What a frame of a stack is.
#pragma once

#include <cstdint>
#include <string_view>

namespace ktstr {

// How the one above it (the one it calls, or that interrupts it) came about is said by that one.
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

// Of code that keeps the registers of what it interrupts, by its name.
FrameKind KindOfRegsFrame(std::string_view symbol);

}  // namespace ktstr
