#include "libcore/walk/code/module_list.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>

#include "libcore/walk/container/list.h"
#include "libcore/walk/row/fields.h"

namespace ktstr {

namespace {

constexpr uint32_t kMaxModuleSymbols = 1 << 20;
constexpr uint32_t kMaxModuleOrcs = 1 << 22;
constexpr size_t kMaxSymbolName = 512;  // KSYM_NAME_LEN

// The members that say where text is. Since 6.4 (ac3b43283923) by kind of memory, of which MOD_TEXT
// is 0 and MOD_INIT_TEXT 4; before that one piece for the module and one for its initialisation,
// each beginning with text.
struct TextMembers {
  MaybeMember base, size;

  static std::vector<TextMembers> Of(const Walk& walk) {
    Fields f(walk, "module");
    if (f.Maybe("mem[0].base")) {
      return {{f.Need("mem[0].base"), f.Need("mem[0].size")},
              {f.Maybe("mem[4].base"), f.Maybe("mem[4].size")}};
    }
    return {{f.Need("core_layout.base"), f.Need("core_layout.text_size")},
            {f.Maybe("init_layout.base"), f.Maybe("init_layout.text_size")}};
  }
};

struct ModuleMembers : Fields {
  explicit ModuleMembers(const Walk& walk) : Fields(walk, "module"), text(TextMembers::Of(walk)) {
    if (const auto value = walk.types.FindEnumerator("MODULE_STATE_UNFORMED")) unformed = *value;
  }
  MaybeMember list = Need("list"), name = Need("name"), state = Maybe("state"),
              kallsyms = Maybe("kallsyms"), orc_ips = Maybe("arch.orc_unwind_ip"),
              orc_entries = Maybe("arch.orc_unwind"), orc_count = Maybe("arch.num_orcs");
  std::vector<TextMembers> text;
  std::optional<int64_t> unformed;  // the state of a module whose members mean nothing yet
};

ModuleRef ReadModule(CellReader& object, const ModuleMembers& m) {
  ModuleRef module;
  module.module = object.object().base();
  module.name = object.Text(m.name).value_or("");
  for (const TextMembers& text : m.text) {
    const auto base = object.Pointer(text.base);
    const auto size = object.Unsigned(text.size);
    if (base && size && !base->is_null() && *size != 0 && *size <= UINT32_MAX) {
      module.text.push_back({*base, *base + *size});
    }
  }
  module.kallsyms = object.Pointer(m.kallsyms).value_or(Kva());
  module.orc_ips = object.Pointer(m.orc_ips).value_or(Kva());
  module.orc_entries = object.Pointer(m.orc_entries).value_or(Kva());
  module.orc_count = static_cast<uint32_t>(object.Unsigned(m.orc_count).value_or(0));
  return module;
}

// Of a per-CPU variable the value is its place in an area, and no address.
std::optional<ModuleSymbolKind> KindOf(const ModuleRef& module, Kva kva) {
  if (kva.value() >> 63 == 0) return std::nullopt;
  const bool is_text = std::any_of(module.text.begin(), module.text.end(),
                                   [&](const TextRange& range) { return range.Contains(kva); });
  return is_text ? ModuleSymbolKind::kText : ModuleSymbolKind::kData;
}

// is_mapping_symbol() in include/linux/module_symbol.h: names of the tools', not of functions.
bool IsMappingSymbol(std::string_view name) {
  return name.starts_with(".L") || name.starts_with("L0") || name.starts_with("$");
}

}  // namespace

std::vector<ModuleRef> ListModules(const Walk& walk) {
  std::vector<ModuleRef> modules;
  const auto head = walk.kernel.symbol_kva("modules");
  // A kernel without modules has neither.
  if (!head || !walk.types.FindMember("module", "list")) return modules;
  const ModuleMembers m(walk);
  for (const Kva node : WalkList(walk, *head, "modules")) {
    CellReader object(walk, node - m.list->offset, "a module");
    const auto state = object.Integer(m.state);
    if (m.unformed && state == m.unformed) continue;
    modules.push_back(ReadModule(object, m));
  }
  return modules;
}

Result<SymbolTable> ReadModuleSymbols(const GuestKernel& kernel, const ModuleRef& module,
                                      ModuleSymbolKind kind) {
  if (module.kallsyms.is_null()) {
    return Fail(ErrorCode::kNotFound, fmt::format("module {} has no symbols", module.name));
  }
  const TypeInfo& types = *KTSTR_TRY(kernel.types());
  ObjectReader tables(kernel, module.kallsyms);
  const Kva symbols =
      KTSTR_TRY(tables.Pointer(KTSTR_TRY(types.FindMember("mod_kallsyms", "symtab"))));
  const Kva names =
      KTSTR_TRY(tables.Pointer(KTSTR_TRY(types.FindMember("mod_kallsyms", "strtab"))));
  const uint64_t count =
      KTSTR_TRY(tables.Unsigned(KTSTR_TRY(types.FindMember("mod_kallsyms", "num_symtab"))));
  if (count > kMaxModuleSymbols) {
    return Fail(ErrorCode::kDamaged, fmt::format("module {} has {} symbols", module.name, count));
  }
  std::vector<Elf64_Sym> all(count);
  KTSTR_TRY(kernel.Read(symbols, std::as_writable_bytes(std::span(all))));
  SymbolTable::Builder builder;
  for (const Elf64_Sym& symbol : all) {
    if (symbol.st_shndx == SHN_UNDEF || KindOf(module, Kva(symbol.st_value)) != kind) continue;
    const std::string name = KTSTR_TRY(kernel.ReadString(names + symbol.st_name, kMaxSymbolName));
    if (!name.empty() && !IsMappingSymbol(name)) {
      builder.Add(name, symbol.st_value, kind == ModuleSymbolKind::kText ? 't' : 'd');
    }
  }
  return std::move(builder).Build();
}

Result<OrcTable> ReadModuleOrc(const GuestKernel& kernel, const OrcFormat& format,
                               const ModuleRef& module) {
  if (module.orc_ips.is_null() || module.orc_entries.is_null()) {
    return Fail(ErrorCode::kNotFound, fmt::format("module {} has no ORC table", module.name));
  }
  if (module.orc_count > kMaxModuleOrcs) {
    return Fail(ErrorCode::kDamaged,
                fmt::format("module {} has {} ORC entries", module.name, module.orc_count));
  }
  std::vector<std::byte> ips(module.orc_count * sizeof(int32_t));
  std::vector<std::byte> entries(module.orc_count * format.entry_size());
  KTSTR_TRY(kernel.Read(module.orc_ips, ips));
  KTSTR_TRY(kernel.Read(module.orc_entries, entries));
  return OrcTable::Parse(format, module.orc_ips, ips, std::move(entries));
}

}  // namespace ktstr
