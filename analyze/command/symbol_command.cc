// ktstr-analyze FILE symbol NAME|ADDRESS
#include <fmt/format.h>

#include "analyze/command/command.h"
#include "analyze/text/output.h"

namespace ktstr {

namespace {

// All symbols of a name (static ones of several files share one), or the one that an address
// belongs to.
Result<QueryResult> Lookup(MemorySource& memory, const std::string& word) {
  if (const auto kva = ParseKva(word)) {
    const auto symbol = KTSTR_TRY(memory.Symbolize(*kva));
    if (!symbol) {
      return Fail(ErrorCode::kNotFound,
                  fmt::format("{} belongs to no symbol: it is neither text nor data of the kernel",
                              ToText(Hex(*kva))));
    }
    return QueryResult{{"address", "symbol"}, {{ToText(Hex(*kva)), *symbol}}};
  }
  const GuestKernel* kernel = KTSTR_TRY(memory.Kernel());
  QueryResult found{{"name", "address", "type"}, {}};
  for (const Symbol& symbol : kernel->symbols().FindAll(word)) {
    found.rows.push_back(
        {std::string(symbol.name), ToText(Hex(symbol.address)), std::string(1, symbol.type)});
  }
  if (!found.rows.empty()) return found;
  // Fails with the nearest name.
  return Fail(ErrorCode::kInvalidArgument, memory.FindAddress(word).error().ToString());
}

void DeclareSymbol(Options* symbol, Command* chosen) {
  auto word = std::make_shared<std::string>();
  symbol->Add("SYMBOL", word.get(), "A name or an address 0x…").Required().TypeName("");
  symbol->SetFooter(
      "The type is as in nm; the address of a per-CPU symbol is that of no instance.");
  symbol->OnChosen([chosen, word] {
    *chosen = [word](Session& session) -> Result<std::string> {
      const QueryResult found = KTSTR_TRY(Lookup(*KTSTR_TRY(session.Memory()), *word));
      return session.json() ? ToJson(found) : ToTextTable(found, {TerminalWidth()});
    };
  });
}

}  // namespace

void AddSymbolCommand(Options* app, Command* chosen) {
  app->AddSubcommand("symbol", "The address of a symbol, or the symbol of an address",
                     [chosen](Options* symbol) { DeclareSymbol(symbol, chosen); });
}

}  // namespace ktstr
