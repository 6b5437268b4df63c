// What every program of ours does first.
#pragma once

#include <csignal>

namespace ktstr {

// Lets a write that the system refuses be an error with a reason, not the end of the process: a
// file beyond its size limit, a pipe whose reader has gone.
inline void ReportRefusedWrites() {
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace ktstr
