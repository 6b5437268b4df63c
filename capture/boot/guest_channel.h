// The host's end of the port to our init (guest/protocol.h): requests, answers, events.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "capture/qemu/json_socket.h"
#include "capture/qemu/json_value.h"
#include "libcore/base/result.h"

namespace ktstr {

// Not for use by several threads at once.
class GuestChannel {
 public:
  explicit GuestChannel(UniqueFd port) : socket_(std::move(port), "the guest") {}

  // Waits for init's first words: its "hello". Errors: kTimeout, kPeer.
  Result<nlohmann::json> WaitForHello(Deadline deadline);

  // In place of that, of a guest that has been talking to somebody else: half lines of theirs are
  // passed over. Errors: kTimeout, kPeer.
  Status JoinInTheMiddle(Deadline deadline);

  // Sends a request and waits for its answer. `arguments` is an object. Errors: kPeer when the
  // guest refuses (with its reason) or is gone, kTimeout. As often as the guest says that it is
  // busy with it, it is given as much time again.
  Result<nlohmann::json> Ask(std::string_view verb, nlohmann::json arguments, Deadline deadline);

  // The same in steps, for a caller who waits for other things too. Send: the request's number.
  Result<int64_t> Post(std::string_view verb, nlohmann::json arguments, Deadline deadline);
  // Takes in one message. Errors: kTimeout when none came, kPeer.
  Status Receive(Deadline deadline);
  // Its answer if that has come; an error in it when the guest refused.
  std::optional<Result<nlohmann::json>> TakeAnswer(int64_t id);
  // Events in the order in which they came, without waiting.
  std::optional<nlohmann::json> TakeEvent();

  // When anything was last received: a sign of life.
  Deadline last_heard() const { return last_heard_; }

  // The oldest event that nobody took: worker-exit and the like. Errors: kTimeout, kPeer.
  Result<nlohmann::json> NextEvent(Deadline deadline);

  int fd() const { return socket_.fd(); }

 private:
  struct Posted {
    std::string verb;
    std::optional<JsonValue> answer;
    bool busy = false;  // the guest said so, and nobody has looked
  };

  JsonSocket socket_;
  std::deque<JsonValue> events_;
  std::map<int64_t, Posted> posted_;  // by number
  int64_t next_id_ = 1;
  Deadline last_heard_ = std::chrono::steady_clock::now();
};

}  // namespace ktstr
