#include "frozen_guest.h"

#include <gtest/gtest.h>

#include "capture/qemu/device_state.h"
#include "capture/qemu/ram_map.h"
#include "libcore/qemu/vcpu_state.h"

namespace ktstr {

Result<std::unique_ptr<FrozenGuest>> FrozenGuest::Freeze(GuestMachine& machine,
                                                         const std::filesystem::path& output,
                                                         Keep keep) {
  std::unique_ptr<FrozenGuest> guest(new FrozenGuest);
  Frozen frozen = KTSTR_TRY(Frozen::Freeze(machine.qmp()));
  const auto state = KTSTR_TRY(SaveDeviceState(frozen));
  const auto vcpus = KTSTR_TRY(ParseVcpus(*state));
  guest->memory_ =
      KTSTR_TRY(LiveMemory::Map(KTSTR_TRY(FindRam(machine.qmp(), machine.qemu().pid()))));
  guest->live_ = KTSTR_TRY(GuestKernel::Open(*guest->memory_, vcpus));
  CaptureOptions capture;
  capture.output = output;
  capture.keep = keep;
  capture.pid = machine.qemu().pid();
  KTSTR_TRY(CaptureFrozen(frozen, capture));
  frozen.Abandon();
  guest->archive_ = KTSTR_TRY(FrozenMachine::Open(output));
  guest->kept_ = KTSTR_TRY(guest->archive_->Kernel());
  return guest;
}

void ExpectNoAnomalies(std::initializer_list<const std::vector<AnomalyRow>*> walks) {
  for (const std::vector<AnomalyRow>* anomalies : walks) {
    for (const AnomalyRow& row : *anomalies) {
      ADD_FAILURE() << row.walker << " " << row.kind << ": " << row.detail;
    }
  }
}

}  // namespace ktstr
