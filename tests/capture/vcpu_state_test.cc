#include "libcore/qemu/vcpu_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "libcore/qemu/device_sections.h"
#include "device_stream.h"

namespace ktstr {
namespace {

using testing::HasSubstr;

void AddSegment(ContentsBuilder& contents, uint64_t selector, uint64_t base) {
  contents.Add(selector, 4).Add(base).Add(0xffffffff, 4).Add(0xa09b00, 4);
}

// A vCPU whose registers all differ, as QEMU 7.2 to 11.1 lay it out.
ContentsBuilder Cpu(uint64_t seed, uint64_t tsc = 0) {
  ContentsBuilder contents;
  for (uint64_t i = 0; i < 16; ++i) contents.Add(seed + i);
  contents.Add(seed + 0x20).Add(0x246).Zeros(4 + 8 + 80);
  for (uint64_t i = 0; i < 6; ++i) AddSegment(contents, 0x10 + 8 * i, seed + 0x100 + i);
  AddSegment(contents, 0, 0);
  AddSegment(contents, 0x40, seed + 0x200);
  AddSegment(contents, 0, seed + 0x201);
  AddSegment(contents, 0, seed + 0x202);
  contents.Zeros(20);
  contents.Add(0x80050033).Add(seed + 0x30).Add(seed + 0x31).Add(0x751ef0);
  contents.Zeros(64 + 4 + 4 + 256);
  contents.Add(0xd01).Add(seed + 0x40).Add(seed + 0x41).Add(seed + 0x42).Add(0x47700);
  contents.Add(seed + 0x43).Zeros(32).Add(5).Zeros(253).Add(tsc);
  // What comes behind is of no interest.
  return contents.Zeros(700);
}

DeviceStream TwoCpus() {
  DeviceStream stream;
  stream.Device("timer", 0, 2, ContentsBuilder().Add(1000).Zeros(16));
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    stream.Device("cpu_common", cpu, 1, ContentsBuilder().Add(cpu, 4).Add(0, 4));
    stream.Device("cpu", cpu, 12, Cpu(0xffff000000000000 + 0x10000 * cpu));
  }
  return stream.Device("globalstate", 0, 1, ContentsBuilder().Add(8, 4).Zeros(100));
}

TEST(VcpuStateTest, ReadsEveryRegister) {
  const auto vcpus = ParseVcpus(TwoCpus().Finish());
  ASSERT_TRUE(vcpus) << vcpus.error().ToString();
  ASSERT_EQ(vcpus->size(), 2u);
  const VcpuRegisters& cpu = (*vcpus)[1];
  const uint64_t seed = 0xffff000000010000;
  EXPECT_EQ(cpu.cpu, 1u);
  EXPECT_EQ(cpu.reg(Gpr::kRax), seed);
  EXPECT_EQ(cpu.reg(Gpr::kR15), seed + 15);
  EXPECT_EQ(cpu.rip, seed + 0x20);
  EXPECT_EQ(cpu.rflags, 0x246u);
  EXPECT_EQ(cpu.cs.selector, 0x18u);
  EXPECT_EQ(cpu.cs.attributes, 0xa09b00u);
  EXPECT_EQ(cpu.gs.base, seed + 0x105);
  EXPECT_EQ(cpu.tr.base, seed + 0x200);
  EXPECT_EQ(cpu.gdt.base, seed + 0x201);
  EXPECT_EQ(cpu.idt.base, seed + 0x202);
  EXPECT_EQ(cpu.cr0, 0x80050033u);
  EXPECT_EQ(cpu.cr2, seed + 0x30);
  EXPECT_EQ(cpu.cr3, seed + 0x31);
  EXPECT_EQ(cpu.cr4, 0x751ef0u);
  EXPECT_EQ(cpu.efer, 0xd01u);
  EXPECT_EQ(cpu.star, seed + 0x40);
  EXPECT_EQ(cpu.lstar, seed + 0x41);
  EXPECT_EQ(cpu.cstar, seed + 0x42);
  EXPECT_EQ(cpu.fmask, 0x47700u);
  EXPECT_EQ(cpu.kernel_gs_base, seed + 0x43);
  EXPECT_TRUE(cpu.halted);
  EXPECT_FALSE((*vcpus)[0].halted);
}

TEST(VcpuStateTest, WithoutACounterOfTheVcpusTheMachinesClockIsTheTimeStamp) {
  const auto vcpus = ParseVcpus(TwoCpus().Finish());
  ASSERT_TRUE(vcpus);
  EXPECT_EQ((*vcpus)[0].tsc, 1005u);
  EXPECT_EQ(ParseVcpus(DeviceStream().Device("cpu", 0, 12, Cpu(1, 77)).Finish()).value()[0].tsc,
            77u);
}

TEST(VcpuStateTest, AnotherLayoutIsUnsupported) {
  const auto vcpus = ParseVcpus(DeviceStream().Device("cpu", 0, 13, Cpu(1)).Finish());
  ASSERT_FALSE(vcpus);
  EXPECT_EQ(vcpus.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(vcpus.error().ToString(), HasSubstr("'cpu' in version 13; this program knows 12"));
}

TEST(VcpuStateTest, AVcpuThatIsTooShortIsDamage) {
  const auto vcpus =
      ParseVcpus(DeviceStream().Device("cpu", 0, 12, ContentsBuilder().Zeros(1164)).Finish());
  ASSERT_FALSE(vcpus);
  EXPECT_EQ(vcpus.error().code(), ErrorCode::kDamaged);
  EXPECT_TRUE(
      ParseVcpus(DeviceStream().Device("cpu", 0, 12, ContentsBuilder().Zeros(1165)).Finish()));
}

TEST(VcpuStateTest, AMachineWithoutVcpusIsUnsupported) {
  const auto vcpus = ParseVcpus(DeviceStream().Finish());
  ASSERT_FALSE(vcpus);
  EXPECT_EQ(vcpus.error().code(), ErrorCode::kUnsupported);
}

TEST(VcpuStateTest, AnyTruncationIsAnError) {
  const auto stream = TwoCpus().Finish();
  for (size_t size = 0; size < stream.size(); ++size) {
    EXPECT_FALSE(ParseVcpus(std::span(stream).first(size))) << size;
  }
}

TEST(VcpuStateTest, DamagedBytesNeverCrash) {
  const auto stream = TwoCpus().Finish();
  std::mt19937 random(1);
  for (int round = 0; round < 3000; ++round) {
    auto damaged = stream;
    for (int i = 0; i < 3; ++i) damaged[random() % damaged.size()] = std::byte(random());
    std::ignore = ParseVcpus(damaged);
  }
}

TEST(DeviceSectionsTest, AreThoseThatWereSaved) {
  const auto stream = TwoCpus().Finish();
  const auto sections = SplitDeviceState(stream);
  ASSERT_TRUE(sections) << sections.error().ToString();
  ASSERT_EQ(sections->size(), 6u);
  EXPECT_EQ((*sections)[1].name, "cpu_common");
  EXPECT_EQ((*sections)[4].instance, 1u);
  EXPECT_EQ((*sections)[4].version, 12u);
  EXPECT_EQ((*sections)[5].contents.size(), 104u);
}

// Footers and headers that a guest has put into a device's buffer, such as those of a machine that
// it runs itself.
TEST(DeviceSectionsTest, BytesOfTheGuestsThatLookLikeADeviceAreNotTakenForOne) {
  const auto fake = DeviceStream().Device("cpu", 0, 12, Cpu(0xbad)).Finish();
  const auto disguise = ContentsBuilder().Add(0x7e).Bytes(fake).Add(0x7e, 1).Add(99, 4);
  const auto vcpus = ParseVcpus(DeviceStream()
                                    .Device("vga", 0, 1, disguise)
                                    .Device("cpu", 0, 12, Cpu(0x600d0000))
                                    .Device("nvram", 0, 1, disguise)
                                    .Finish());
  ASSERT_TRUE(vcpus) << vcpus.error().ToString();
  ASSERT_EQ(vcpus->size(), 1u);
  EXPECT_EQ((*vcpus)[0].reg(Gpr::kRax), 0x600d0000u);
}

// One that knows the number of the section that its buffer is in.
TEST(DeviceSectionsTest, ADeviceThatIsThereTwiceIsDamage) {
  const auto fake = ContentsBuilder()
                        .Add(0x7e, 1)
                        .Add(2, 4)
                        .Bytes(DeviceStream().Section(7, "cpu", 0, 12).Finish())
                        .bytes();
  // Behind its file header, a section that begins behind a footer of the real one's.
  ContentsBuilder contents;
  contents.Bytes({fake.begin(), fake.begin() + 5}).Bytes({fake.begin() + 13, fake.end() - 1});
  contents.Bytes(Cpu(0xbad).bytes()).Add(0x7e, 1).Add(7, 4);
  const auto sections = SplitDeviceState(
      DeviceStream().Device("vga", 0, 1, contents).Device("cpu", 0, 12, Cpu(0x600d0000)).Finish());
  ASSERT_FALSE(sections);
  EXPECT_EQ(sections.error().code(), ErrorCode::kDamaged);
}

// hw/watchdog/wdt_i6300esb.c
TEST(SplitDeviceStateTest, ADeviceMayHaveAHighVersion) {
  DeviceStream stream;
  stream.Device("timer", 0, 2, ContentsBuilder().Zeros(16));
  stream.Device("0000:00:02.0/i6300esb_wdt", 0, 10000, ContentsBuilder().Zeros(16));
  const std::vector<std::byte> bytes = stream.Finish();
  const auto sections = SplitDeviceState(bytes);
  ASSERT_TRUE(sections) << sections.error().ToString();
  ASSERT_EQ(sections->size(), 2u);
  EXPECT_EQ((*sections)[1].version, 10000u);
}

}  // namespace
}  // namespace ktstr
