// ktstr-capture run against a machine of somebody else's, and what must be so afterwards.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "capture/qemu/qmp_client.h"
#include "capture/system/child_process.h"

namespace ktstr {

struct ProgramEnd {
  int exit_code = -1;  // -1 when a signal ended it
  std::string said;    // on both outputs
};

// Runs a program to its end. Processes that it leaves become this one's children.
ProgramEnd RunToEnd(const std::vector<std::string>& argv);

// Waits for the end of all guards (capture/thaw_guard.h) that programs have left to this process;
// false when one is still there after half a minute.
bool AwaitGuards();

// Waits until the guest runs; its run state after half a minute at most.
std::string AwaitRunning(QmpClient& qmp);

// How many files a process has open.
size_t OpenFiles(pid_t pid);
// How many sets of files QEMU was handed and has not given up.
size_t HandedFiles(QmpClient& qmp);

}  // namespace ktstr
