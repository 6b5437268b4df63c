#include "capture/qemu/register_text.h"

#include <algorithm>
#include <charconv>

namespace ktstr {

std::vector<std::string_view> SplitByCpu(std::string_view text) {
  constexpr std::string_view kCpu = "CPU#";
  std::vector<std::string_view> parts;
  for (size_t at = text.find(kCpu); at != std::string_view::npos;) {
    const size_t next = text.find(kCpu, at + kCpu.size());
    parts.push_back(text.substr(at, next - at));
    at = next;
  }
  return parts;
}

std::optional<uint64_t> RegisterIn(std::string_view part, std::string_view name) {
  const size_t found = part.find(name);
  if (found == std::string_view::npos) return std::nullopt;
  std::string_view digits = part.substr(found + name.size());
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  uint64_t number = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return end.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::vector<VcpuRegisters> ParseRegisterText(std::string_view text) {
  std::vector<VcpuRegisters> vcpus;
  for (const std::string_view part : SplitByCpu(text)) {
    const auto cr0 = RegisterIn(part, "CR0=");
    const auto cr3 = RegisterIn(part, "CR3=");
    const auto cr4 = RegisterIn(part, "CR4=");
    if (!cr0 || !cr3 || !cr4) continue;
    VcpuRegisters vcpu;
    vcpu.cpu = static_cast<uint32_t>(vcpus.size());
    vcpu.cr0 = *cr0;
    vcpu.cr3 = *cr3;
    vcpu.cr4 = *cr4;
    vcpu.idt.base = RegisterIn(part, "IDT=").value_or(0);
    vcpu.rflags = RegisterIn(part, "RFL=").value_or(0);
    vcpu.halted = RegisterIn(part, "HLT=").value_or(0) != 0;
    vcpus.push_back(vcpu);
  }
  return vcpus;
}

}  // namespace ktstr
