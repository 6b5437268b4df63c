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

// What is not known has no value.
using Named = std::vector<std::pair<const char*, std::optional<uint64_t>>>;

Named General(const VcpuRegisters& v) {
  constexpr std::array kNames = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  Named registers = {{"rip", v.rip}, {"rflags", v.rflags}};
  for (size_t i = 0; i < kNames.size(); ++i) registers.emplace_back(kNames[i], v.gpr[i]);
  return registers;
}

Named System(const VcpuRegisters& v) {
  const auto of = [&v](RegisterGroup group, uint64_t value) {
    return v.Knows(group) ? std::optional(value) : std::nullopt;
  };
  using enum RegisterGroup;
  return {{"cr0", of(kControl, v.cr0)},
          {"cr2", of(kControl, v.cr2)},
          {"cr3", of(kControl, v.cr3)},
          {"cr4", of(kControl, v.cr4)},
          {"efer", of(kSystemCalls, v.efer)},
          {"star", of(kSystemCalls, v.star)},
          {"lstar", of(kSystemCalls, v.lstar)},
          {"cstar", of(kSystemCalls, v.cstar)},
          {"fmask", of(kSystemCalls, v.fmask)},
          {"kernel_gs_base", of(kKernelGsBase, v.kernel_gs_base)},
          {"tsc", of(kTsc, v.tsc)}};
}

struct NamedSegment {
  const char* name;
  SegmentRegister segment;
  bool has_base = true, has_limit = true;
};

std::vector<NamedSegment> Segments(const VcpuRegisters& v) {
  const bool all = v.Knows(RegisterGroup::kDescriptors);
  std::vector<NamedSegment> segments = {
      {"cs", v.cs, all, all},  {"ss", v.ss, all, all},
      {"ds", v.ds, all, all},  {"es", v.es, all, all},
      {"fs", v.fs, true, all}, {"gs", v.gs, v.Knows(RegisterGroup::kGsBase), all}};
  if (all) segments.insert(segments.end(), {{"ldt", v.ldt}, {"tr", v.tr}});
  return segments;
}

std::vector<std::pair<const char*, DescriptorTable>> DescriptorTables(const VcpuRegisters& v) {
  if (!v.Knows(RegisterGroup::kDescriptors)) return {};
  return {{"gdt", v.gdt}, {"idt", v.idt}};
}

std::string_view ModeText(const VcpuRegisters& v) {
  return v.KnowsMode() ? VcpuModeName(v.mode()) : "kernel, perhaps halted";
}

nlohmann::ordered_json HexJson(std::optional<uint64_t> value) {
  return value ? nlohmann::ordered_json(fmt::format("{:#018x}", *value)) : nullptr;
}

// Two to a line.
std::string Columns(const Named& registers) {
  constexpr size_t kPerLine = 2;
  std::string text;
  for (size_t i = 0; i < registers.size(); ++i) {
    const auto& [name, value] = registers[i];
    const bool last = i % kPerLine == kPerLine - 1 || i + 1 == registers.size();
    const std::string shown = value ? fmt::format("{:016x}", *value) : "?";
    text += last ? fmt::format("  {:<14} {}\n", name, shown)
                 : fmt::format("  {:<14} {:<16}", name, shown);
  }
  return text;
}

}  // namespace

std::string RegisterText(const VcpuRegisters& vcpu, const std::optional<std::string>& at) {
  std::string text =
      fmt::format("CPU {}, {}{}\n", vcpu.cpu, ModeText(vcpu), at ? " at " + SafeText(*at) : "");
  text += Columns(General(vcpu));
  text += Columns(System(vcpu));
  for (const auto& [name, segment, has_base, has_limit] : Segments(vcpu)) {
    text += fmt::format("  {:<6} {:04x}", name, segment.selector);
    if (has_base) text += fmt::format("  base {:016x}", segment.base);
    if (has_limit) {
      text += fmt::format("  limit {:08x}  attributes {:06x}", segment.limit, segment.attributes);
    }
    text += "\n";
  }
  for (const auto& [name, table] : DescriptorTables(vcpu)) {
    text += fmt::format("  {:<12} base {:016x}  limit {:08x}\n", name, table.base, table.limit);
  }
  return text;
}

std::string RegisterJson(const VcpuRegisters& vcpu, const std::optional<std::string>& at) {
  nlohmann::ordered_json json = {{"cpu", vcpu.cpu}, {"mode", nullptr}};
  if (vcpu.KnowsMode()) json["mode"] = VcpuModeName(vcpu.mode());
  json["rip_symbol"] = at ? nlohmann::ordered_json(*at) : nlohmann::ordered_json();
  for (const Named& registers : {General(vcpu), System(vcpu)}) {
    for (const auto& [name, value] : registers) json[name] = HexJson(value);
  }
  using Json = nlohmann::ordered_json;
  for (const auto& [name, segment, has_base, has_limit] : Segments(vcpu)) {
    json[name] = {{"selector", segment.selector},
                  {"base", HexJson(has_base ? std::optional(segment.base) : std::nullopt)},
                  {"limit", has_limit ? Json(segment.limit) : Json()},
                  {"attributes", has_limit ? Json(segment.attributes) : Json()}};
  }
  for (const auto& [name, table] : DescriptorTables(vcpu)) {
    json[name] = {{"base", HexJson(table.base)}, {"limit", table.limit}};
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace ktstr
