#include "capture/wake/run_on.h"

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"

namespace ktstr {

Result<RanOn> RunOn(QmpClient& qmp, Deadline deadline, int asked) {
  for (;;) {
    auto event = qmp.NextEvent(std::chrono::steady_clock::now());
    if (event) {
      if (event->name != "SHUTDOWN" && event->name != "RESET" && event->name != "GUEST_PANICKED") {
        continue;
      }
      const std::string reason = StringMember(*event->data, "reason");
      return RanOn{RunEnd::kMachine,
                   event->name + (reason.empty() ? "" : fmt::format(" ({})", reason))};
    }
    if (event.error().code() == ErrorCode::kPeer) return RanOn{RunEnd::kGone};
    if (event.error().code() != ErrorCode::kTimeout) return Fail(std::move(event).error());
    if (std::chrono::steady_clock::now() >= deadline) return RanOn{RunEnd::kTime};
    std::array<pollfd, 2> waiting = {pollfd{qmp.fd(), POLLIN, 0}, pollfd{asked, POLLIN, 0}};
    poll(waiting.data(), waiting.size(), PollTimeout(deadline));
    if (waiting[1].revents != 0) return RanOn{RunEnd::kAsked};
  }
}

}  // namespace ktstr
