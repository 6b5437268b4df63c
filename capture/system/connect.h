// connect(2) that ends in time.
#pragma once

#include <sys/socket.h>

#include "capture/system/deadline.h"
#include "libcore/base/result.h"

namespace ktstr {

// Connects a stream socket that blocks, and blocks afterwards. Without a limit the call waits for
// as long as a listener of this machine that is hung has no place left in its queue. Errors:
// kTimeout, kIo.
Status ConnectBy(Deadline deadline, int socket, const sockaddr* address, socklen_t size);

}  // namespace ktstr
