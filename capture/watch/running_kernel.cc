#include "ktstr/capture/watch/running_kernel.h"

#include <charconv>
#include <optional>

namespace ktstr {

namespace {

// The hexadecimal number behind `name` in `text`.
std::optional<uint64_t> NumberAfter(std::string_view text, std::string_view name) {
  const size_t found = text.find(name);
  if (found == std::string_view::npos) return std::nullopt;
  std::string_view digits = text.substr(found + name.size());
  digits.remove_prefix(std::min(digits.find_first_not_of(' '), digits.size()));
  uint64_t number = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return end.ec == std::errc() ? std::optional(number) : std::nullopt;
}

}  // namespace

std::vector<VcpuRegisters> ParseRegisterText(std::string_view text) {
  constexpr std::string_view kCpu = "CPU#";
  std::vector<VcpuRegisters> vcpus;
  for (size_t at = text.find(kCpu); at != std::string_view::npos;) {
    const size_t next = text.find(kCpu, at + kCpu.size());
    const std::string_view block = text.substr(at, next - at);
    at = next;
    const auto cr0 = NumberAfter(block, "CR0=");
    const auto cr3 = NumberAfter(block, "CR3=");
    const auto cr4 = NumberAfter(block, "CR4=");
    if (!cr0 || !cr3 || !cr4) continue;
    VcpuRegisters vcpu;
    vcpu.cpu = static_cast<uint32_t>(vcpus.size());
    vcpu.cr0 = *cr0;
    vcpu.cr3 = *cr3;
    vcpu.cr4 = *cr4;
    vcpu.idt.base = NumberAfter(block, "IDT=").value_or(0);
    vcpus.push_back(vcpu);
  }
  return vcpus;
}

Result<RunningKernel> RunningKernel::Open(QmpClient& qmp, pid_t pid) {
  if (pid == 0) pid = KTSTR_TRY(qmp.PeerPid());
  auto memory = KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(qmp, pid))));
  const auto vcpus = ParseRegisterText(KTSTR_TRY(qmp.HumanCommand("info registers -a")));
  auto kernel = KTSTR_TRY(GuestKernel::Open(*memory, vcpus));
  return RunningKernel(std::move(memory), std::move(kernel));
}

}  // namespace ktstr
