#include "capture/live_ops.h"

#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "libcore/qemu/vcpu_state.h"

namespace ktstr {

Result<std::unique_ptr<LiveOps>> LiveOps::Open(Frozen& frozen, pid_t pid, size_t kernel_instance) {
  QmpClient& qmp = frozen.qmp();
  if (pid == 0) pid = KTSTR_TRY(qmp.PeerPid());
  const auto device_state = KTSTR_TRY(SaveDeviceState(frozen));
  const auto vcpus = KTSTR_TRY(ParseVcpus(*device_state));
  auto memory = KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(qmp, pid))));
  memory->SetStill(true);
  auto kernel = KTSTR_TRY(GuestKernel::Open(*memory, vcpus, {.instance = kernel_instance}));
  return std::unique_ptr<LiveOps>(new LiveOps(std::move(memory), std::move(kernel)));
}

Result<OpReply> LiveOps::Dispatch(Frozen& frozen, const OpRequest& request) {
  return frozen.Exclusively([&](const Exclusive& exclusive) {
    // The guest has run since the last freeze, and may have changed its page tables.
    kernel_->address_space().Flush();
    memory_->SetStill(true);
    return dispatcher_.Dispatch(exclusive, request);
  });
}

}  // namespace ktstr
