#include "capture/boot/guest_channel.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "capture/guest/protocol.h"
#include "capture/qemu/json_access.h"

namespace ktstr {

namespace {

constexpr size_t kMaxGuestEvents = 10'000;

}  // namespace

Result<nlohmann::json> GuestChannel::WaitForHello(Deadline deadline) {
  nlohmann::json hello = KTSTR_TRY(NextEvent(deadline));
  if (StringMember(hello, "event") != "hello" ||
      IntegerMember(hello, "version") != guest::kProtocolVersion) {
    return Fail(ErrorCode::kPeer, "the guest's first words are " + Brief(hello));
  }
  return hello;
}

Status GuestChannel::JoinInTheMiddle(Deadline deadline) {
  // What is answered to the others must not look like an answer to us.
  next_id_ = std::chrono::duration_cast<std::chrono::microseconds>(
                 std::chrono::system_clock::now().time_since_epoch())
                 .count();
  return socket_.JoinInTheMiddle(deadline);
}

Result<nlohmann::json> GuestChannel::Ask(std::string_view verb, nlohmann::json arguments,
                                         Deadline deadline) {
  const auto patience = deadline - std::chrono::steady_clock::now();
  const int64_t id = KTSTR_TRY(Post(verb, std::move(arguments), deadline));
  for (;;) {
    if (auto received = Receive(deadline); !received) {
      posted_.erase(id);
      return Fail(std::move(received).error());
    }
    if (auto answer = TakeAnswer(id)) return *std::move(answer);
    if (std::exchange(posted_[id].busy, false)) {
      deadline = std::chrono::steady_clock::now() + patience;
    }
  }
}

Result<int64_t> GuestChannel::Post(std::string_view verb, nlohmann::json arguments,
                                   Deadline deadline) {
  const int64_t id = next_id_++;
  arguments["id"] = id;
  arguments["do"] = verb;
  KTSTR_TRY(socket_.Send(arguments, deadline));
  posted_[id].verb = verb;
  return id;
}

Status GuestChannel::Receive(Deadline deadline) {
  nlohmann::json message = KTSTR_TRY(socket_.Receive(deadline));
  last_heard_ = std::chrono::steady_clock::now();
  if (message.contains("event")) {
    events_.push_back(std::move(message));
    if (events_.size() > kMaxGuestEvents) events_.pop_front();
  } else if (const auto posted = posted_.find(IntegerMember(message, "id").value_or(0));
             posted != posted_.end()) {
    if (BoolMember(message, "busy")) {
      posted->second.busy = true;
    } else {
      posted->second.answer = std::move(message);
    }
  }  // else its caller gave up
  return {};
}

std::optional<Result<nlohmann::json>> GuestChannel::TakeAnswer(int64_t id) {
  const auto posted = posted_.find(id);
  if (posted == posted_.end() || !posted->second.answer) return std::nullopt;
  const std::string verb = std::move(posted->second.verb);
  nlohmann::json answer = std::move(**posted->second.answer);
  posted_.erase(posted);
  if (BoolMember(answer, "ok")) return answer;
  return Fail(ErrorCode::kPeer, fmt::format("the guest refuses '{}': {}", verb,
                                            StringMember(answer, "error", "no reason")));
}

std::optional<nlohmann::json> GuestChannel::TakeEvent() {
  if (events_.empty()) return std::nullopt;
  nlohmann::json event = std::move(*events_.front());
  events_.pop_front();
  return event;
}

Result<nlohmann::json> GuestChannel::NextEvent(Deadline deadline) {
  for (;;) {
    if (auto event = TakeEvent()) return *std::move(event);
    KTSTR_TRY(Receive(deadline));
  }
}

}  // namespace ktstr
