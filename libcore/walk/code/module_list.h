// Which modules are loaded, where their text is, and what they bring for symbols and unwinding.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libcore/image/orc.h"
#include "libcore/image/symbol_table.h"
#include "libcore/kernel/guest_kernel.h"
#include "libcore/walk/row/walk.h"

namespace ktstr {

// [begin, end) of addresses.
struct TextRange {
  Kva begin, end;
  bool Contains(Kva kva) const { return begin <= kva && kva < end; }
};

struct ModuleRef {
  Kva module;  // struct module
  std::string name;
  std::vector<TextRange> text;
  Kva kallsyms;              // struct mod_kallsyms; null where there is none
  Kva orc_ips, orc_entries;  // null where there are none
  uint32_t orc_count = 0;
};

// All modules that are loaded or on their way in or out, in the kernel's order; none for a kernel
// without modules. What cannot be read is an anomaly.
std::vector<ModuleRef> ListModules(const Walk& walk);

// Data has names where the kernel keeps them (CONFIG_KALLSYMS_ALL).
enum class ModuleSymbolKind { kText, kData };

// The symbols in a module's text, or of its data, at run-time addresses (kernel/module/kallsyms.c);
// without its per-CPU variables. Errors: kNotFound (types), kDamaged (a count that cannot be), and
// those of reading.
Result<SymbolTable> ReadModuleSymbols(const GuestKernel& kernel, const ModuleRef& module,
                                      ModuleSymbolKind kind);

// A module's ORC table. Errors: kNotFound (it has none), kDamaged, and those of reading.
Result<OrcTable> ReadModuleOrc(const GuestKernel& kernel, const OrcFormat& format,
                               const ModuleRef& module);

}  // namespace ktstr
