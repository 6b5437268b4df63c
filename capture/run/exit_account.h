// What a frozen kernel says of the end that it has come to.
#pragma once

#include <optional>
#include <string_view>

#include "capture/run/fired.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// The struct scx_sched that the kernel's function `place` is about to end, where `argument` is the
// first one of it: a work or irq_work that is part of the scheduler. Nothing for another function,
// and up to 6.15, where there is only one scheduler.
std::optional<Kva> EndingScheduler(const GuestKernel& kernel, std::string_view place, Kva argument);

// Adds to a trigger of the kinds scheduler-exit, panic, oops and soft-lockup what the kernel's exit
// info or its log says of it: the detail, and values. `ending` says which of several schedulers
// ends; unknown, it is the first that has a reason of its own. What cannot be read is left out.
void AddAccount(const GuestKernel& kernel, TriggerKind kind, std::optional<Kva> ending,
                Fired* fired);

}  // namespace ktstr
