#include "capture/watch/running_kernel.h"

#include <fmt/format.h>

#include "capture/qemu/register_text.h"

namespace ktstr {

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

Result<RunningKernel> RunningKernel::Open(QmpClient& qmp, pid_t pid, size_t kernel_instance) {
  if (pid == 0) pid = KTSTR_TRY(qmp.PeerPid());
  RamMap map = KTSTR_TRY(FindRam(qmp, pid));
  if (!map.why_monitor.empty()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("a running guest's memory cannot be read through QEMU's monitor fast "
                            "enough, and not in any other way: {}",
                            map.why_monitor));
  }
  auto memory = KTSTR_TRY(LiveMemory::Map(std::move(map)));
  const auto vcpus = ParseRegisterText(KTSTR_TRY(qmp.HumanCommand("info registers -a")));
  auto kernel = KTSTR_TRY(GuestKernel::Open(*memory, vcpus, {.instance = kernel_instance}));
  return RunningKernel(std::move(memory), std::move(kernel));
}

}  // namespace ktstr
