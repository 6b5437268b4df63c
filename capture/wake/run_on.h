// Lets a machine run on until it is time, or something ends it.
#pragma once

#include <string>

#include "capture/qemu/qmp_client.h"
#include "capture/system/deadline.h"
#include "libcore/base/result.h"

namespace ktstr {

enum class RunEnd : uint8_t {
  kTime,     // the deadline has come: the machine runs
  kAsked,    // somebody asked for the end: the machine runs
  kMachine,  // it ended by itself: panicked, was switched off or reset; it may stand still
  kGone,     // QEMU has ended
};

struct RanOn {
  RunEnd end = RunEnd::kTime;
  std::string detail;  // of kMachine, such as "SHUTDOWN (guest-shutdown)"
};

// Waits for QMP's events. `asked` is a descriptor that becomes readable when the end is asked for.
// Errors: as QmpClient::NextEvent, but for a QEMU that ends.
Result<RanOn> RunOn(QmpClient& qmp, Deadline deadline, int asked);

}  // namespace ktstr
