// What a frozen kernel says of the end that it has come to.
#pragma once

#include "capture/run/fired.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {

// Adds to a trigger of the kinds scheduler-exit, panic, oops and soft-lockup what the kernel's exit
// info or its log says of it: the detail, and values. What cannot be read is left out.
void AddAccount(const GuestKernel& kernel, TriggerKind kind, Fired* fired);

}  // namespace ktstr
