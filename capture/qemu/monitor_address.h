// Where a QEMU that is known by its process listens for QMP, as its own command line says.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

// The address of the first QMP monitor that others can connect to: of "-qmp ADDRESS", or of "-mon
// chardev=ID,mode=control" with its "-chardev socket". In the form that ParseQmpAddress takes;
// nothing where there is none (a monitor on stdio, or on a descriptor that QEMU was started with).
std::optional<std::string> MonitorOnCommandLine(std::span<const std::string> argv);

// The same of a process of this machine; a path that is relative to its directory is made whole.
// Errors: kNotFound, kIo.
Result<std::string> MonitorOfProcess(pid_t pid);

}  // namespace ktstr
