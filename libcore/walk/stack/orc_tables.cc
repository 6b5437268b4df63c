#include "libcore/walk/stack/orc_tables.h"

#include <fmt/format.h>

namespace ktstr {

// The kernel's table lies between the symbols __start_orc_unwind_ip and __stop_orc_unwind_ip (where
// pieces of text begin) and __start_orc_unwind and __stop_orc_unwind (an entry for each). A module
// brings the same two arrays. A copy of ftrace_caller has no table; it has the original's
// instructions at the same offsets.

namespace {

constexpr uint64_t kMaxTable = uint64_t{256} << 20;

Result<std::vector<std::byte>> ReadBetween(const GuestKernel& kernel, const char* begin,
                                           const char* end) {
  const Kva from = KTSTR_TRY(kernel.symbol_kva(begin));
  const Kva to = KTSTR_TRY(kernel.symbol_kva(end));
  if (to < from || to - from > kMaxTable) {
    return Fail(ErrorCode::kDamaged, fmt::format("the ORC table from {:#x} to {:#x} cannot be",
                                                 from.value(), to.value()));
  }
  std::vector<std::byte> bytes(to - from);
  KTSTR_TRY(kernel.Read(from, bytes));
  return bytes;
}

}  // namespace

Result<OrcTables> OrcTables::Read(const Walk& walk, const TextSymbols& text) {
  OrcTables tables(walk, text);
  tables.format_ = KTSTR_TRY(OrcFormat::From(walk.types));
  if (const auto null_entry = walk.kernel.symbol_kva("null_orc_entry")) {
    std::vector<std::byte> bytes(tables.format_.entry_size());
    KTSTR_TRY(walk.kernel.Read(*null_entry, bytes));
    KTSTR_TRY(tables.format_.LearnNumbering(bytes));
  }
  const Kva ips_at = KTSTR_TRY(walk.kernel.symbol_kva("__start_orc_unwind_ip"));
  const auto ips =
      KTSTR_TRY(ReadBetween(walk.kernel, "__start_orc_unwind_ip", "__stop_orc_unwind_ip"));
  auto entries = KTSTR_TRY(ReadBetween(walk.kernel, "__start_orc_unwind", "__stop_orc_unwind"));
  tables.table_ = KTSTR_TRY(OrcTable::Parse(tables.format_, ips_at, ips, std::move(entries)));
  return tables;
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

std::optional<OrcEntry> OrcTables::Find(Kva ip, const TextPlace& place) {
  switch (place.kind) {
    case TextKind::kKernel:
      return table_.Find(ip);
    case TextKind::kModule:
      return TableOf(place.index).Find(ip);
    case TextKind::kFtrace: {
      const FtraceTrampoline& copy = text_->ftrace()[place.index];
      if (copy.original.is_null()) return std::nullopt;
      return table_.Find(copy.original + (ip - copy.text.begin));
    }
    case TextKind::kBpf:
      return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace ktstr
