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
#include "libcore/base/result.h"
#include "libcore/base/unique_fd.h"

namespace ktstr {

class OpsServer {
 public:
  // `port` is the host's end of guest::kOpsPortName, `pid` QEMU's process. `qmp` must outlive the
  // server, and nobody else may use it during a call.
  OpsServer(QmpClient& qmp, UniqueFd port, pid_t pid)
      : qmp_(qmp), port_(std::move(port)), pid_(pid) {}

  int fd() const { return port_.get(); }  // readable when a request is coming

  // Waits for one request, serves it and sends the reply; the deadline is for its arrival. What
  // cannot be decoded is answered, too. `planted` are breakpoints in the guest's text, which it is
  // not shown. Errors: kTimeout; kPeer when the guest is gone; kDamaged and kOutOfRange when it
  // sends what is no message at all; those of freezing, finding the kernel and going on.
  Status ServeOne(Deadline deadline, const std::vector<PlantedByte>& planted = {});
  // The same without waiting: false when no whole request is there yet.
  Result<bool> ServeWhatIsThere(const std::vector<PlantedByte>& planted = {});

 private:
  Result<bool> ReceiveFrame();
  Status ServeFrame(const std::vector<PlantedByte>& planted);
  Result<OpReply> Serve(const OpRequest& request, const std::vector<PlantedByte>& planted);
  Status Send(const OpReply& reply);

  QmpClient& qmp_;
  UniqueFd port_;
  pid_t pid_;
  std::unique_ptr<LiveOps> ops_;
  std::vector<std::byte> frame_;  // what has arrived of the next request
};

}  // namespace ktstr
