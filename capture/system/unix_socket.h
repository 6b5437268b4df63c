// Unix sockets in the file system.
#pragma once

#include <string>

#include "capture/system/deadline.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// A stream socket that is connected to the one at `path`, closed on exec. Errors: kInvalidArgument
// for a path that no socket can have; kIo when there is no such socket or nobody listens; kTimeout
// when too many wait there already.
Result<UniqueFd> ConnectToUnixSocket(const std::string& path, Deadline deadline);

}  // namespace ktstr
