// TCP connections, and who of this machine is at their other end.
#pragma once

#include <sys/types.h>

#include <string>

#include "capture/system/deadline.h"
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

// A connection, closed on exec. Errors: kIo when there is no such host or nobody listens, kTimeout.
Result<UniqueFd> ConnectToTcp(const std::string& host, const std::string& port, Deadline deadline);

// The process that holds the other end of a connection, by /proc. Errors: kNotFound when it is on
// another machine, or of another user.
Result<pid_t> ProcessAtOtherEnd(int socket);

}  // namespace ktstr
