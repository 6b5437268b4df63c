// The processes of this machine.
#pragma once

#include <sys/types.h>

#include <vector>

namespace ktstr {

// Those that /proc shows, in no order. Each may have ended by the time it is looked at.
std::vector<pid_t> ListProcesses();

}  // namespace ktstr
