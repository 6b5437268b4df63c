// Guests for tests that are about what a guest does, not about how it boots.
#pragma once

#include <functional>
#include <memory>

#include "capture/boot/guest_machine.h"
#include "libcore/base/result.h"

namespace ktstr {

// A guest whose init answers, made ready by `prepare`. On TCG such a machine that an earlier test
// has booted is woken (capture/run/warm_start.h); KTSTR_TEST_COLD in the environment boots all of
// them. What TCG spoils by its fault (GuestMachine::TrippedOverTcg) is begun anew, with a boot.
// Errors: as GuestMachine::Boot, and those of `prepare`.
Result<std::unique_ptr<GuestMachine>> ReadyGuest(
    const MachineOptions& options, const std::function<Status(GuestMachine&)>& prepare);

// With these workers, as ParseWorkerSpecs takes them.
Result<std::unique_ptr<GuestMachine>> BootWithWork(const MachineOptions& options,
                                                   const char* work = "spin:2,sleep:2");

}  // namespace ktstr
