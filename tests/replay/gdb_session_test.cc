// The remote protocol as gdb speaks it, byte by byte, with a machine of two threads and one page.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "replay/gdb/session.h"

namespace ktstr {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr uint64_t kPage = 0x1000;

// Thread 1 has all registers, thread 2 only rip; memory is one page of its low address bytes.
class TwoThreads : public GdbTarget {
 public:
  std::vector<GdbThread> Threads() override { return {1, 2}; }
  bool Has(GdbThread thread) override { return thread == 1 || thread == 2; }
  std::string Describe(GdbThread thread) override { return "thread " + std::to_string(thread); }
  GdbRegisterValues Registers(GdbThread thread) override {
    if (thread == 1) {
      VcpuRegisters vcpu;
      vcpu.gpr[0] = 0x1122334455667788;
      vcpu.rip = 0xffffffff81000000;
      return GdbValuesOf(vcpu);
    }
    GdbRegisterValues values = GdbNoValues();
    SetGdbRegister(values, "rip", 0x42);
    return values;
  }
  size_t Read(GdbThread, Kva address, std::span<std::byte> out) override {
    size_t read = 0;
    while (read < out.size() && address.value() + read >= kPage &&
           address.value() + read < 2 * kPage) {
      out[read] = static_cast<std::byte>(address.value() + read);
      ++read;
    }
    return read;
  }
  std::optional<Kva> KernelBegin() override { return Kva(0xffffffff9a000000); }
  std::string Monitor(GdbThread thread, std::string_view words) override {
    return std::to_string(thread) + ": " + std::string(words) + text_;
  }

  std::string text_ = "\n";
};

class GdbSessionTest : public testing::Test {
 protected:
  // The answer's data to one packet, without what goes around it.
  std::string Ask(std::string_view packet) {
    std::string answer = session_.Receive(GdbPacket(packet));
    if (answer.starts_with('+')) answer.erase(0, 1);
    EXPECT_THAT(answer, StartsWith("$"));
    return answer.size() < 4 ? answer : answer.substr(1, answer.size() - 4);
  }

  TwoThreads target_;
  GdbSession session_{target_};
};

TEST_F(GdbSessionTest, AcknowledgesUntilBothDoWithout) {
  EXPECT_EQ(session_.Receive("$?#3f"), "+$T05thread:1;#" + std::string("d7"));
  EXPECT_EQ(session_.Receive("$?#00"), "-");
  EXPECT_EQ(session_.Receive("+"), "");
  EXPECT_EQ(session_.Receive("$QStartNoAckMode#b0"), "+$OK#9a");
  EXPECT_THAT(session_.Receive("$?#3f"), StartsWith("$T05"));
  EXPECT_EQ(session_.Receive("$?#00"), "");
}

TEST_F(GdbSessionTest, SendsALostPacketAgainButNotForEver) {
  const std::string first = session_.Receive("$qC#b4").substr(1);
  EXPECT_EQ(session_.Receive("-"), first);
  const std::string many = session_.Receive(std::string(4096, '-'));
  EXPECT_LT(many.size(), 20 * first.size());
}

TEST_F(GdbSessionTest, TakesPacketsThatArriveInPieces) {
  std::string answer;
  for (const char byte : std::string("+$qC#b4\x03$qAttached#8f")) {
    answer += session_.Receive({&byte, 1});
  }
  EXPECT_EQ(answer, "+$QC1#c5+$1#31");
}

TEST_F(GdbSessionTest, AnswersRegistersThatAreNotKnownWithX) {
  const std::string all = Ask("g");
  EXPECT_THAT(all, StartsWith("8877665544332211"));
  EXPECT_EQ(all.substr(16 * 16, 16), "00000081ffffffff");  // rip
  EXPECT_THAT(all, HasSubstr("xxxxxxxxxxxxxxxxxxxx"));     // st0
  EXPECT_EQ(Ask("Hg2"), "OK");
  EXPECT_EQ(Ask("p0"), "xxxxxxxxxxxxxxxx");
  EXPECT_EQ(Ask("p10"), "4200000000000000");
  EXPECT_EQ(Ask("pffff"), "E16");
  EXPECT_EQ(Ask("Hg3"), "E03");
}

TEST_F(GdbSessionTest, ReadsMemoryAsFarAsThereIsAnyAndNeverInventsIt) {
  EXPECT_EQ(Ask("m1000,4"), "00010203");
  EXPECT_EQ(Ask("m1ffe,8"), "feff");
  EXPECT_EQ(Ask("m2000,8"), "E0e");
  EXPECT_EQ(Ask("mffffffffffffffff,ffffffffffffffff"), "E0e");
  EXPECT_EQ(Ask("x1001,2"), std::string("b\x01\x02"));
  EXPECT_EQ(Ask("m1000"), "E16");
  EXPECT_EQ(Ask("m1000,4g"), "E16");
  EXPECT_LE(Ask("m1000,ffffffff").size(), kGdbPacketSize);
}

TEST_F(GdbSessionTest, GivesTheDescriptionInParts) {
  std::string xml;
  for (;;) {
    const std::string part =
        Ask(fmt::format("qXfer:features:read:target.xml:{:x},{:x}", xml.size(), 1000));
    ASSERT_THAT(part, testing::AnyOf(StartsWith("m"), StartsWith("l")));
    for (size_t i = 1; i < part.size(); ++i) {
      xml += part[i] == '}' ? static_cast<char>(part[++i] ^ 0x20) : part[i];
    }
    if (part[0] == 'l') break;
  }
  EXPECT_EQ(xml, GdbTargetXml());
  EXPECT_EQ(Ask("qXfer:features:read:other.xml:0,10"), "E00");
  EXPECT_EQ(Ask("qXfer:features:read:target.xml:ffffffff,10"), "E16");
}

TEST_F(GdbSessionTest, ListsThreads) {
  EXPECT_EQ(Ask("qfThreadInfo"), "m1,2");
  EXPECT_EQ(Ask("qsThreadInfo"), "l");
  EXPECT_EQ(Ask("qThreadExtraInfo,2"), GdbHex("thread 2"));
  EXPECT_EQ(Ask("T2"), "OK");
  EXPECT_EQ(Ask("T3"), "E03");
  EXPECT_EQ(Ask("qOffsets"), "TextSeg=ffffffff9a000000");
}

TEST_F(GdbSessionTest, RefusesWhatWouldMoveAFrozenMachineInASentence) {
  EXPECT_EQ(Ask("vCont?"), "vCont;c;C;s;S");
  for (const char* packet : {"vCont;c:1", "c", "s", "C05"}) {
    EXPECT_THAT(Ask(packet), StartsWith("E.this machine is frozen and does not run")) << packet;
  }
  for (const char* packet : {"M1000,1:00", "X1000,1:a", "P0=00", "G00", "Z0,1000,1"}) {
    EXPECT_THAT(Ask(packet), StartsWith("E.this machine is frozen and is only read")) << packet;
  }
}

TEST_F(GdbSessionTest, HandsTheMonitorsWordsOn) {
  const std::string answer = session_.Receive(GdbPacket("qRcmd," + GdbHex("help")));
  EXPECT_EQ(answer, "+" + GdbPacket("O" + GdbHex("1: help\n")) + GdbPacket("OK"));
  target_.text_ = std::string(3 * kGdbPacketSize, 'y');
  EXPECT_THAT(session_.Receive(GdbPacket("qRcmd," + GdbHex("help"))), EndsWith(GdbPacket("OK")));
  EXPECT_EQ(Ask("qRcmd,4"), "E16");
}

TEST_F(GdbSessionTest, RefusesAPacketThatIsTooLongAndGoesOn) {
  EXPECT_THAT(Ask("m" + std::string(kGdbPacketSize, '0') + ",1"), StartsWith("E.the packet"));
  EXPECT_EQ(Ask("m1000,1"), "00");
}

TEST_F(GdbSessionTest, EndsWhenItsClientGoes) {
  EXPECT_EQ(Ask("D"), "OK");
  EXPECT_TRUE(session_.ended());
  GdbSession killed(target_);
  EXPECT_EQ(killed.Receive("$k#6b$?#3f"), "+");
  EXPECT_TRUE(killed.ended());
}

}  // namespace
}  // namespace ktstr
