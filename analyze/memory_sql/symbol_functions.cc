// symbol, symbol_address, per_cpu, address: names and addresses.
#include "analyze/memory_sql/functions.h"

namespace ktstr {

namespace {

Value AddressValue(Kva kva) { return ToText(Hex(kva)); }

Result<Value> SymbolOf(MemorySource& memory, SqlArguments arguments) {
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[0], "addr"));
  return ToValue(KTSTR_TRY(memory.Symbolize(kva)));
}

Result<Value> SymbolAddress(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "name"));
  return AddressValue(KTSTR_TRY(memory.FindSymbol(name)));
}

Result<Value> PerCpu(MemorySource& memory, SqlArguments arguments) {
  const std::string name = KTSTR_TRY(TextArgument(arguments[0], "name"));
  const uint64_t cpu = KTSTR_TRY(CountArgument(arguments[1], "cpu", UINT32_MAX));
  return AddressValue(KTSTR_TRY(memory.FindPerCpu(name, static_cast<uint32_t>(cpu))));
}

Result<Value> AddressOf(MemorySource&, SqlArguments arguments) {
  const Kva kva = KTSTR_TRY(KvaArgument(arguments[0], "addr"));
  if (arguments.size() < 2) return AddressValue(kva);
  const auto* distance = std::get_if<int64_t>(&arguments[1]);
  if (distance == nullptr) {
    return Fail(ErrorCode::kInvalidArgument, "distance: not an integer");
  }
  return AddressValue(kva + static_cast<uint64_t>(*distance));
}

}  // namespace

std::vector<ScalarFunction> SymbolFunctions() {
  return {
      {"symbol",
       {"addr"},
       0,
       "What an address of text or of the kernel's data belongs to, as name+0x…; NULL for any "
       "other address.",
       SymbolOf},
      {"symbol_address", {"name"}, 0, "The address of a symbol.", SymbolAddress},
      {"per_cpu",
       {"name", "cpu"},
       0,
       "The address of a CPU's instance of a per-CPU variable.",
       PerCpu},
      {"address",
       {"addr", "distance"},
       1,
       "addr as text '0x…', distance bytes further; distances may be negative.",
       AddressOf},
  };
}

}  // namespace ktstr
