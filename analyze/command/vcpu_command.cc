// ktstr-analyze FILE vcpu [N]
#include <fmt/format.h>

#include "ktstr/analyze/command/command.h"
#include "ktstr/analyze/report/registers.h"

namespace ktstr {

namespace {

std::optional<std::string> SymbolOf(MemorySource& memory, const VcpuRegisters& vcpu) {
  if (vcpu.mode() == VcpuMode::kUser) return std::nullopt;
  // Registers are there whatever became of the kernel.
  return memory.Symbolize(Kva(vcpu.rip)).value_or(std::nullopt);
}

Result<std::string> Registers(Session& session, std::optional<uint32_t> cpu) {
  MemorySource& memory = *KTSTR_TRY(session.Memory());
  const auto vcpus = memory.machine().archive().vcpus();
  std::string text, json;
  for (const VcpuRegisters& vcpu : vcpus) {
    if (cpu && vcpu.cpu != *cpu) continue;
    const auto at = SymbolOf(memory, vcpu);
    text += (text.empty() ? "" : "\n") + RegisterText(vcpu, at);
    json += (json.empty() ? "[\n  " : ",\n  ") + RegisterJson(vcpu, at);
  }
  if (text.empty() && cpu) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no CPU {}: the machine has {}", *cpu, vcpus.size()));
  }
  return session.json() ? (json.empty() ? "[]\n" : json + "\n]\n") : text;
}

}  // namespace

void AddVcpuCommand(CLI::App* app, Command* chosen) {
  auto cpu = std::make_shared<std::optional<uint32_t>>();
  CLI::App* vcpu = app->add_subcommand("vcpu", "Every register of each CPU; with N of that one");
  vcpu->add_option("N", *cpu, "Its number")->type_name("");
  vcpu->callback(
      [chosen, cpu] { *chosen = [cpu](Session& session) { return Registers(session, *cpu); }; });
}

}  // namespace ktstr
