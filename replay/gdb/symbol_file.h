// What a frozen kernel says of its own symbols and stack frames, as an ELF file that debuggers
// read: names of functions and variables and how to walk stacks back, at run-time addresses. No
// types and no lines: these only a vmlinux with debug information has.
#pragma once

#include <string>

#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

struct SymbolFile {
  std::string bytes;
  size_t symbols = 0;
  bool has_frames = false;  // whether the kernel has tables to unwind by
};

// The kernel's own symbols, those of the text of its modules, and BPF programs. Its sections have
// names of their own, and it has no segments: gdb, which knows that a kernel may have moved, leaves
// them where they are. Errors: kNotFound (no symbol says where the kernel is).
Result<SymbolFile> MakeSymbolFile(const GuestKernel& kernel);

}  // namespace ktstr
