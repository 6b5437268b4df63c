// ktstr-analyze FILE vcpu [N]
#include <fmt/format.h>

#include <map>

#include "analyze/command/command.h"
#include "analyze/index/cells.h"
#include "analyze/text/registers.h"

namespace ktstr {

namespace {

using SymbolByCpu = std::map<int64_t, std::string>;

// Where each CPU is, out of the index: it is there sooner than the kernel's symbols.
Result<SymbolByCpu> AskIndex(Session& session) {
  const QueryResult answer = KTSTR_TRY(KTSTR_TRY(session.Index())
                                           ->Query("SELECT cpu, rip_symbol FROM vcpu WHERE "
                                                   "rip_symbol IS NOT NULL"));
  SymbolByCpu symbols;
  for (const auto& row : answer.rows) {
    symbols[IntegerOf(row[0])] = TextOf(row[1]);
  }
  return symbols;
}

bool IsInAnother(MemorySource& memory, const VcpuRegisters& vcpu) {
  const auto kernel = memory.Kernel();
  const auto instance = kernel ? (*kernel)->InstanceOf(vcpu) : std::nullopt;
  return instance && *instance != (*kernel)->instance();
}

// Registers are there whatever became of the kernel and of memory.
SymbolByCpu AskMemory(MemorySource& memory, std::span<const VcpuRegisters> vcpus) {
  SymbolByCpu symbols;
  for (const VcpuRegisters& vcpu : vcpus) {
    if (vcpu.mode() == VcpuMode::kUser || IsInAnother(memory, vcpu)) continue;
    if (auto symbol = memory.Symbolize(Kva(vcpu.rip)).value_or(std::nullopt)) {
      symbols[vcpu.cpu] = *std::move(symbol);
    }
  }
  return symbols;
}

SymbolByCpu Symbols(Session& session, MemorySource& memory) {
  if (session.arguments().keeps_index()) {
    if (auto symbols = AskIndex(session)) return *std::move(symbols);
  }
  return AskMemory(memory, memory.machine().vcpus());
}

Result<std::string> Registers(Session& session, std::optional<uint32_t> cpu) {
  MemorySource& memory = *KTSTR_TRY(session.Memory());
  const auto vcpus = memory.machine().vcpus();
  if (memory.machine().runs()) {
    return Fail(ErrorCode::kInvalidArgument,
                "registers of CPUs that run are in no memory: 'cpus' and 'stack' show what is");
  }
  const SymbolByCpu symbols = Symbols(session, memory);
  std::string text, json;
  for (const VcpuRegisters& vcpu : vcpus) {
    if (cpu && vcpu.cpu != *cpu) continue;
    const auto symbol = symbols.find(vcpu.cpu);
    const auto at = symbol == symbols.end() ? std::nullopt : std::optional(symbol->second);
    text += (text.empty() ? "" : "\n") + RegisterText(vcpu, at);
    json += (json.empty() ? "[\n  " : ",\n  ") + RegisterJson(vcpu, at);
  }
  if (text.empty() && cpu) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no CPU {}: the machine has {}", *cpu, vcpus.size()));
  }
  return session.json() ? (json.empty() ? "[]\n" : json + "\n]\n") : text;
}

void DeclareVcpu(Options* vcpu, Command* chosen) {
  auto cpu = std::make_shared<std::optional<uint32_t>>();
  vcpu->Add("N", cpu.get(), "Its number").TypeName("");
  vcpu->OnChosen(
      [chosen, cpu] { *chosen = [cpu](Session& session) { return Registers(session, *cpu); }; });
}

}  // namespace

void AddVcpuCommand(Options* app, Command* chosen) {
  app->AddSubcommand("vcpu", "Every register of each CPU; with N of that one",
                     [chosen](Options* vcpu) { DeclareVcpu(vcpu, chosen); });
}

}  // namespace ktstr
