// Serves the operations that a guest asks of its host (guest/ops.cc): each is done in a freeze of
// its own, after which the guest goes on and reads the reply.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "capture/live_ops.h"
#include "capture/qemu/qmp_client.h"
#include "capture/system/deadline.h"
#include "capture/system/unique_fd.h"
#include "libcore/base/result.h"

namespace ktstr {

class OpsServer {
 public:
  // `port` is the host's end of guest::kOpsPortName, `pid` QEMU's process. `qmp` must outlive the
  // server, and nobody else may use it during a call.
  OpsServer(QmpClient& qmp, UniqueFd port, pid_t pid)
      : qmp_(qmp), port_(std::move(port)), pid_(pid) {}

  int fd() const { return port_.get(); }  // readable when a request is coming

  // Waits for one request, serves it and sends the reply; the deadline is for its arrival. What
  // cannot be decoded is answered, too. Errors: kTimeout; kPeer when the guest is gone, or sends
  // what is no message at all; those of freezing, finding the kernel and going on.
  Status ServeOne(Deadline deadline);

 private:
  Result<std::vector<std::byte>> ReceiveFrame(Deadline deadline);
  Result<OpReply> Serve(const OpRequest& request);
  Status Send(const OpReply& reply);

  QmpClient& qmp_;
  UniqueFd port_;
  pid_t pid_;
  std::unique_ptr<LiveOps> ops_;
};

}  // namespace ktstr
