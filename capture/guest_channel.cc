#include "ktstr/capture/guest_channel.h"

#include <fmt/format.h>

#include "ktstr/capture/guest/protocol.h"
#include "ktstr/capture/json_access.h"

namespace ktstr {

namespace {

constexpr size_t kMaxEvents = 10'000;

}  // namespace

Result<nlohmann::json> GuestChannel::WaitForHello(Deadline deadline) {
  nlohmann::json hello = KTSTR_TRY(NextEvent(deadline));
  if (StringMember(hello, "event") != "hello" ||
      IntegerMember(hello, "version") != guest::kProtocolVersion) {
    return Fail(ErrorCode::kPeer, "the guest's first words are " + Brief(hello));
  }
  return hello;
}

Result<nlohmann::json> GuestChannel::Ask(std::string_view verb, nlohmann::json arguments,
                                         Deadline deadline) {
  const int64_t id = next_id_++;
  arguments["id"] = id;
  arguments["do"] = verb;
  KTSTR_TRY(socket_.Send(arguments, deadline));
  for (;;) {
    nlohmann::json message = KTSTR_TRY(socket_.Receive(deadline));
    if (message.contains("event")) {
      events_.push_back(std::move(message));
      if (events_.size() > kMaxEvents) events_.pop_front();
      continue;
    }
    if (IntegerMember(message, "id") != id) continue;  // its caller gave up
    if (BoolMember(message, "ok")) return message;
    return Fail(ErrorCode::kPeer, fmt::format("the guest refuses '{}': {}", verb,
                                              StringMember(message, "error", "no reason")));
  }
}

Result<nlohmann::json> GuestChannel::NextEvent(Deadline deadline) {
  while (events_.empty()) {
    nlohmann::json message = KTSTR_TRY(socket_.Receive(deadline));
    if (message.contains("event")) events_.push_back(std::move(message));
  }
  nlohmann::json event = std::move(events_.front());
  events_.pop_front();
  return event;
}

}  // namespace ktstr
