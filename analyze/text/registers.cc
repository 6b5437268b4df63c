#include "analyze/text/registers.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "libcore/base/safe_text.h"
#include "libcore/walk/system/machine.h"

namespace ktstr {

namespace {

using Named = std::vector<std::pair<const char*, uint64_t>>;

Named General(const VcpuRegisters& v) {
  constexpr std::array kNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  Named registers = {{"rip", v.rip}, {"rflags", v.rflags}};
  for (size_t i = 0; i < kNames.size(); ++i) registers.emplace_back(kNames[i], v.gpr[i]);
  return registers;
}

Named System(const VcpuRegisters& v) {
  return {{"cr0", v.cr0},     {"cr2", v.cr2},
          {"cr3", v.cr3},     {"cr4", v.cr4},
          {"efer", v.efer},   {"star", v.star},
          {"lstar", v.lstar}, {"cstar", v.cstar},
          {"fmask", v.fmask}, {"kernel_gs_base", v.kernel_gs_base},
          {"tsc", v.tsc}};
}

std::vector<std::pair<const char*, SegmentRegister>> Segments(const VcpuRegisters& v) {
  return {{"cs", v.cs}, {"ss", v.ss}, {"ds", v.ds},   {"es", v.es},
          {"fs", v.fs}, {"gs", v.gs}, {"ldt", v.ldt}, {"tr", v.tr}};
}

std::vector<std::pair<const char*, DescriptorTable>> DescriptorTables(const VcpuRegisters& v) {
  return {{"gdt", v.gdt}, {"idt", v.idt}};
}

std::string HexText(uint64_t value) { return fmt::format("{:#018x}", value); }

// Two to a line.
std::string Columns(const Named& registers) {
  constexpr size_t kPerLine = 2;
  std::string text;
  for (size_t i = 0; i < registers.size(); ++i) {
    const auto& [name, value] = registers[i];
    const bool last = i % kPerLine == kPerLine - 1 || i + 1 == registers.size();
    text += fmt::format("  {:<14} {:016x}{}", name, value, last ? "\n" : "");
  }
  return text;
}

}  // namespace

std::string RegisterText(const VcpuRegisters& vcpu, const std::optional<std::string>& at) {
  std::string text = fmt::format("CPU {}, {}{}\n", vcpu.cpu, VcpuModeName(vcpu.mode()),
                                 at ? " at " + SafeText(*at) : "");
  text += Columns(General(vcpu));
  text += Columns(System(vcpu));
  for (const auto& [name, segment] : Segments(vcpu)) {
    text += fmt::format("  {:<6} {:04x}  base {:016x}  limit {:08x}  attributes {:06x}\n", name,
                        segment.selector, segment.base, segment.limit, segment.attributes);
  }
  for (const auto& [name, table] : DescriptorTables(vcpu)) {
    text += fmt::format("  {:<12} base {:016x}  limit {:08x}\n", name, table.base, table.limit);
  }
  return text;
}

std::string RegisterJson(const VcpuRegisters& vcpu, const std::optional<std::string>& at) {
  nlohmann::ordered_json json = {{"cpu", vcpu.cpu}, {"mode", VcpuModeName(vcpu.mode())}};
  json["rip_symbol"] = at ? nlohmann::ordered_json(*at) : nlohmann::ordered_json();
  for (const Named& registers : {General(vcpu), System(vcpu)}) {
    for (const auto& [name, value] : registers) json[name] = HexText(value);
  }
  for (const auto& [name, segment] : Segments(vcpu)) {
    json[name] = {{"selector", segment.selector},
                  {"base", HexText(segment.base)},
                  {"limit", segment.limit},
                  {"attributes", segment.attributes}};
  }
  for (const auto& [name, table] : DescriptorTables(vcpu)) {
    json[name] = {{"base", HexText(table.base)}, {"limit", table.limit}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ktstr
