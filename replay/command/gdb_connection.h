// Where gdb connects to: standard input and output, a Unix socket, or a TCP port of this machine.
#pragma once

#include <cstdint>
#include <string>

#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"
#include "replay/gdb/target.h"

namespace ktstr {

// Bytes of a session between a client and the target, until either is done. Errors: kIo.
Status ServeGdb(GdbTarget& target, int in, int out);

// For who will not serve: takes what gdb says first, for which it waits a second at most. Else gdb
// 18 finds its connection reset, and does not show what it was told by standard error.
void HearGdbOut(int in);

// A socket that waits for clients, closed on exec.
struct GdbListener {
  UniqueFd fd;
  std::string address;  // as gdb's `target remote` takes it
};
// In the file system, for its owner alone (mode 0600). Errors: kInvalidArgument for a path that no
// socket can have, kExists, kIo.
Result<GdbListener> ListenAtUnixSocket(const std::string& path);
// At 127.0.0.1; port 0 is one that is free. Errors: kIo.
Result<GdbListener> ListenAtPort(uint16_t port);

// Serves one client after another, until Ctrl-C. Errors: kIo.
Status ServeClients(GdbTarget& target, const GdbListener& listener);

}  // namespace ktstr
