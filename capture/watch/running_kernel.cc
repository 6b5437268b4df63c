#include "capture/watch/running_kernel.h"

#include <fmt/format.h>

#include "capture/qemu/register_text.h"

namespace ktstr {

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
