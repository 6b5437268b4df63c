// The generated code that BPF runs as: programs, trampolines, dispatchers, by the kernel's own list
// of them (kernel/bpf/core.c: bpf_kallsyms).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/code/module_list.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

struct BpfSymbol {
  TextRange text;
  std::string name;  // such as bpf_prog_6deef7357e7b4530_name, bpf_trampoline_6442523
};

// In ascending order of address; none for a kernel without BPF. What cannot be read is an anomaly.
std::vector<BpfSymbol> ListBpfSymbols(const Walk& walk);

// The name that a program or a function of it has by itself; any other symbol as it is.
std::string_view BpfFunctionName(std::string_view symbol);

}  // namespace ktstr
