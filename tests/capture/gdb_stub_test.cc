#include "capture/qemu/gdb_stub.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_peer.h"

namespace ktstr {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kKnownToNone[] = "vMustReplyEmpty";

std::string Packet(const std::string& content) {
  uint8_t sum = 0;
  for (const char c : content) sum = static_cast<uint8_t>(sum + static_cast<uint8_t>(c));
  return fmt::format("${}#{:02x}", content, sum);
}

// What QEMU's stub does with a packet: acknowledges it, and answers.
void Answer(ScriptedPeer& peer, const std::string& content) {
  peer.SayBytes("+" + Packet(content));
}

// The content of the next packet the client sent; empty when it is gone.
std::string Hear(ScriptedPeer& peer) {
  const std::string bytes = peer.HearBytes('#', 2);
  const size_t begin = bytes.find('$');
  if (begin == std::string::npos) return "";
  const std::string content = bytes.substr(begin + 1, bytes.size() - begin - 4);
  EXPECT_EQ(bytes.substr(begin), Packet(content));
  // Sent ahead of each command, so that the machine stands.
  EXPECT_EQ(bytes.substr(0, begin), "+\x03");
  return content;
}

// Answers a halt as a machine that runs does.
void Halt(ScriptedPeer& peer) {
  EXPECT_EQ(Hear(peer), kKnownToNone);
  peer.SayBytes(Packet("T02thread:01;"));
  Answer(peer, "");
}

Result<std::unique_ptr<GdbStub>> Open(ScriptedPeer& peer, milliseconds timeout = seconds(10)) {
  return GdbStub::Open(peer.TakeClientEnd(), "the stub", timeout);
}

TEST(GdbStubTest, ItStopsTheMachineAndSetsAndTakesAwayPoints) {
  std::vector<std::string> heard;
  {
    ScriptedPeer peer([&](ScriptedPeer& p) {
      Halt(p);
      for (int i = 0; i < 8; ++i) {
        heard.push_back(Hear(p));
        Answer(p, "OK");
      }
      EXPECT_EQ(Hear(p), "");
    });
    const auto stub = Open(peer);
    ASSERT_TRUE(stub) << stub.error().ToString();
    const Kva at(0xffffffff81000010);
    EXPECT_TRUE((*stub)->SetBreakpoint(at));
    EXPECT_TRUE((*stub)->RemoveBreakpoint(at));
    EXPECT_TRUE((*stub)->SetWriteWatchpoint(at, 16));
    EXPECT_TRUE((*stub)->RemoveWriteWatchpoint(at, 16));
    EXPECT_TRUE((*stub)->SelectCpu(2));
    EXPECT_TRUE((*stub)->SetBreakpoint(at, BreakpointKind::kSoftware));
    EXPECT_TRUE((*stub)->RemoveBreakpoint(at, BreakpointKind::kSoftware));
    EXPECT_TRUE((*stub)->Detach());
  }
  EXPECT_THAT(heard, ElementsAre("Z1,ffffffff81000010,1", "z1,ffffffff81000010,1",
                                 "Z2,ffffffff81000010,10", "z2,ffffffff81000010,10", "Hc3",
                                 "Z0,ffffffff81000010,1", "z0,ffffffff81000010,1", "D"));
}

TEST(GdbStubTest, AStopTellsReasonCpuAndWhatWasWritten) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    Halt(p);
    Halt(p);
    EXPECT_EQ(Hear(p), "c");
    p.SayBytes("+" + Packet("T05thread:0b;watch:ffffffff82a3c5d0;") + Packet("T05thread:p01.02;") +
               Packet("T02thread:01;") + Packet("T03thread:01;") + Packet("W00"));
    EXPECT_EQ(Hear(p), "");
  });
  const auto stub = *Open(peer);
  ASSERT_TRUE(stub->Continue());
  const auto watch = stub->WaitForStop(After(seconds(10)));
  ASSERT_TRUE(watch) << watch.error().ToString();
  // Not the stop by which the machine was halted before.
  EXPECT_EQ(watch->reason, GdbStop::Reason::kWatchpoint);
  EXPECT_EQ(watch->cpu, 10);
  EXPECT_EQ(watch->address, Kva(0xffffffff82a3c5d0));
  const auto hit = stub->WaitForStop(After(seconds(10)));
  ASSERT_TRUE(hit);
  EXPECT_EQ(hit->reason, GdbStop::Reason::kBreakpoint);
  EXPECT_EQ(hit->cpu, 1);
  EXPECT_EQ(hit->address, std::nullopt);
  EXPECT_EQ(stub->WaitForStop(After(seconds(10)))->reason, GdbStop::Reason::kPaused);
  const auto shutdown = stub->WaitForStop(After(seconds(10)));
  EXPECT_EQ(shutdown->reason, GdbStop::Reason::kOther);
  EXPECT_EQ(shutdown->signal, 3);
  EXPECT_EQ(stub->WaitForStop(After(seconds(10)))->reason, GdbStop::Reason::kOther);
}

TEST(GdbStubTest, AStepIsOfOneCpuAndYieldsItsStop) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    Halt(p);
    Halt(p);
    EXPECT_EQ(Hear(p), "vCont;s:b");
    p.SayBytes("+" + Packet("T05thread:0b;"));
    EXPECT_EQ(Hear(p), "");
  });
  const auto stub = *Open(peer);
  const auto stop = stub->Step(10);
  ASSERT_TRUE(stop) << stop.error().ToString();
  EXPECT_EQ(stop->reason, GdbStop::Reason::kBreakpoint);
  EXPECT_EQ(stop->cpu, 10);
}

TEST(GdbStubTest, AMachineThatDoesNotStopIsATimeout) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    Halt(p);
    Halt(p);
    Hear(p);
    p.SayBytes("+");
    EXPECT_EQ(Hear(p), "");
  });
  const auto stub = *Open(peer);
  ASSERT_TRUE(stub->Continue());
  const auto stop = stub->WaitForStop(After(milliseconds(20)));
  ASSERT_FALSE(stop);
  EXPECT_EQ(stop.error().code(), ErrorCode::kTimeout);
  EXPECT_THAT(stop.error().ToString(), HasSubstr("the stub"));
}

TEST(GdbStubTest, ARefusalTellsWhatWasRefused) {
  ScriptedPeer peer([](ScriptedPeer& p) {
    Halt(p);
    Hear(p);
    Answer(p, "E22");
    Hear(p);
    Answer(p, "");
    EXPECT_EQ(Hear(p), "");
  });
  const auto stub = *Open(peer);
  const auto refused = stub->SetBreakpoint(Kva(0x10));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kPeer);
  EXPECT_THAT(refused.error().ToString(),
              testing::AllOf(HasSubstr("a breakpoint"), HasSubstr("E22"), HasSubstr("Z1,10,1")));
  EXPECT_THAT(stub->SetWriteWatchpoint(Kva(0x10), 4).error().ToString(),
              HasSubstr("not supported"));
}

TEST(GdbStubTest, APeerThatIsNoStubIsSaidToBeNone) {
  for (const std::string& said :
       {Packet("hello"), std::string("$OK#00"), Packet("Tx"), Packet("T5"), Packet("T05thread:00;"),
        Packet("T05watch:zz;"), "$" + std::string(70'000, 'x')}) {
    SCOPED_TRACE(said.substr(0, 40));
    ScriptedPeer peer([&](ScriptedPeer& p) {
      Hear(p);
      p.SayBytes(said);
      EXPECT_EQ(Hear(p), "");
    });
    const auto stub = Open(peer);
    ASSERT_FALSE(stub);
    EXPECT_EQ(stub.error().code(), ErrorCode::kPeer);
  }
}

TEST(GdbStubTest, APeerThatIsSilentOrGoneIsAnError) {
  ScriptedPeer silent([](ScriptedPeer& p) {
    while (!Hear(p).empty()) continue;
  });
  EXPECT_EQ(Open(silent, milliseconds(20)).error().code(), ErrorCode::kTimeout);
  ScriptedPeer gone([](ScriptedPeer& p) { Hear(p); });
  EXPECT_EQ(Open(gone).error().code(), ErrorCode::kPeer);
  EXPECT_EQ(GdbStub::Connect("/nowhere/gdb").error().code(), ErrorCode::kIo);
}

}  // namespace
}  // namespace ktstr
