#include "libcore/walk/stack/orc_tables.h"

#include <fmt/format.h>

#include <cstddef>
#include <vector>

namespace ktstr {

// A module brings the same two arrays as the kernel's own table (kernel_orc.h). A copy of
// ftrace_caller has no table; it has the original's instructions at the same offsets.

Result<OrcTables> OrcTables::Open(const Walk& walk, const TextSymbols& text) {
  OrcFormat format = KTSTR_TRY(OrcFormat::From(walk.types));
  if (const auto null_entry = walk.kernel.symbol_kva("null_orc_entry")) {
    std::vector<std::byte> bytes(format.entry_size());
    KTSTR_TRY(walk.kernel.Read(*null_entry, bytes));
    KTSTR_TRY(format.LearnNumbering(bytes));
  }
  return OrcTables(walk, text, format, KTSTR_TRY(KernelOrc::Open(walk.kernel, format)));
}

const OrcTable& OrcTables::TableOf(size_t module) {
  const auto found = module_tables_.find(module);
  if (found != module_tables_.end()) return found->second;
  const ModuleRef& ref = text_->modules()[module];
  auto table = ReadModuleOrc(walk_.kernel, format_, ref);
  if (!table) {
    walk_.anomalies.Add(table.error(), ref.module,
                        fmt::format("reading the ORC table of module {}", ref.name));
  }
  return module_tables_.emplace(module, table ? *std::move(table) : OrcTable()).first->second;
}

Result<std::optional<OrcEntry>> OrcTables::Find(Kva ip, const TextPlace& place) {
  switch (place.kind) {
    case TextKind::kKernel:
      return kernel_.Find(ip);
    case TextKind::kModule:
      return TableOf(place.index).Find(ip);
    case TextKind::kFtrace: {
      const FtraceTrampoline& copy = text_->ftrace()[place.index];
      if (copy.original.is_null()) return std::nullopt;
      return kernel_.Find(copy.original + (ip - copy.text.begin));
    }
    case TextKind::kBpf:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace ktstr
