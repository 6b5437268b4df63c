#include "capture/boot/guest_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "scripted_peer.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

void Answer(ScriptedPeer& peer, const nlohmann::json& request, nlohmann::json answer) {
  answer["id"] = request["id"];
  peer.Say(answer.dump());
}

TEST(GuestChannelTest, AnAnswerIsToldFromEventsAndFromOtherAnswers) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    const auto first = p.Hear(), second = p.Hear();
    Answer(p, second, {{"ok", true}, {"of", "second"}});
    p.Say(R"({"event": "worker-exit", "pid": 7})");
    Answer(p, first, {{"ok", true}, {"of", "first"}});
    p.AwaitEnd();
  });
  GuestChannel channel(peer.TakeClientEnd());
  const auto first = channel.Post("ping", nlohmann::json::object(), After(seconds(10)));
  ASSERT_TRUE(first) << first.error().ToString();
  const auto second = channel.Ask("report", nlohmann::json::object(), After(seconds(10)));
  ASSERT_TRUE(second) << second.error().ToString();
  EXPECT_EQ((*second)["of"], "second");
  EXPECT_EQ((*channel.NextEvent(After(seconds(10))))["pid"], 7);
  ASSERT_TRUE(channel.Receive(After(seconds(10))));
  EXPECT_EQ((**channel.TakeAnswer(*first))["of"], "first");
}

TEST(GuestChannelTest, WhoJoinsInTheMiddleIsNotBotheredByHalfALineOfTheOthers) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    p.Say(R"(orker", "rounds": 7}]})");
    p.Say(R"({"event": "worker-exit", "pid": 7})");
    p.AwaitEnd();
  });
  GuestChannel channel(peer.TakeClientEnd());
  ASSERT_TRUE(channel.JoinInTheMiddle(After(seconds(10))));
  EXPECT_EQ((*channel.NextEvent(After(seconds(10))))["pid"], 7);
}

TEST(GuestChannelTest, ARefusalIsAnErrorWithItsReason) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    Answer(p, p.Hear(), {{"ok", false}, {"error", "no such worker"}});
    p.AwaitEnd();
  });
  GuestChannel channel(peer.TakeClientEnd());
  const auto answer = channel.Ask("stop", nlohmann::json::object(), After(seconds(10)));
  ASSERT_FALSE(answer);
  EXPECT_THAT(answer.error().ToString(), HasSubstr("the guest refuses 'stop': no such worker"));
}

TEST(GuestChannelTest, AGuestThatIsBusyIsGivenTheSameTimeAgain) {
  constexpr milliseconds kPatience(2000), kLess(1200);
  ScriptedPeer peer([kLess](ScriptedPeer& p) {
    const auto request = p.Hear();
    std::this_thread::sleep_for(kLess);
    Answer(p, request, {{"busy", true}});
    std::this_thread::sleep_for(kLess);
    Answer(p, request, {{"ok", true}});
    p.AwaitEnd();
  });
  GuestChannel channel(peer.TakeClientEnd());
  const auto answer = channel.Ask("start", nlohmann::json::object(), After(kPatience));
  EXPECT_TRUE(answer) << answer.error().ToString();
}

TEST(GuestChannelTest, AGuestThatSaysNothingIsNotWaitedForLonger) {
  ScriptedPeer peer([](ScriptedPeer& p) { p.AwaitEnd(); });
  GuestChannel channel(peer.TakeClientEnd());
  const auto heard = channel.last_heard();
  const auto answer = channel.Ask("start", nlohmann::json::object(), After(milliseconds(1)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kTimeout);
  EXPECT_EQ(channel.last_heard(), heard);
}

}  // namespace
}  // namespace ktstr
