#include "capture/qemu/vcpu_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "capture/qemu/vmstate_stream.h"
#include "migration_stream.h"

namespace ktstr {
namespace {

using testing::HasSubstr;

FieldsBuilder Segment(uint64_t selector, uint64_t base) {
  return FieldsBuilder()
      .Integer("selector", selector, 4)
      .Integer("base", base)
      .Integer("limit", 0xffffffff, 4)
      .Integer("flags", 0xa09b00, 4);
}

// A vCPU whose registers all differ. `with_lstar` false leaves one out.
FieldsBuilder Cpu(uint64_t seed, bool with_lstar = true) {
  std::vector<uint64_t> gpr;
  for (uint64_t i = 0; i < 16; ++i) gpr.push_back(seed + i);
  std::vector<FieldsBuilder> segments;
  for (uint64_t i = 0; i < 6; ++i) segments.push_back(Segment(0x10 + 8 * i, seed + 0x100 + i));
  FieldsBuilder fields;
  fields.Array("env.regs", gpr)
      .Integer("env.eip", seed + 0x20)
      .Integer("env.eflags", 0x246)
      .Integer("env.hflags", 0, 4)
      .Buffer("env.fpregs", 80)
      .Struct("env.segs", segments)
      .Struct("env.ldt", {Segment(0, 0)})
      .Struct("env.tr", {Segment(0x40, seed + 0x200)})
      .Struct("env.gdt", {Segment(0, seed + 0x201)})
      .Struct("env.idt", {Segment(0, seed + 0x202)})
      .Integer("env.cr[0]", 0x80050033)
      .Integer("env.cr[2]", seed + 0x30)
      .Integer("env.cr[3]", seed + 0x31)
      .Integer("env.cr[4]", 0x751ef0)
      .Integer("env.efer", 0xd01)
      .Integer("env.star", seed + 0x40);
  if (with_lstar) fields.Integer("env.lstar", seed + 0x41);
  fields.Integer("env.cstar", seed + 0x42)
      .Integer("env.fmask", 0x47700)
      .Integer("env.kernelgsbase", seed + 0x43)
      .Integer("env.tsc_offset", 5)
      .Integer("env.tsc", 0)
      .Subsection("cpu/pkru", FieldsBuilder().Integer("env.pkru", 0x55555554, 4));
  return fields;
}

MigrationStream TwoCpus() {
  MigrationStream stream;
  stream.Device("timer", 0, FieldsBuilder().Integer("cpu_ticks_offset", 1000));
  for (uint32_t cpu = 0; cpu < 2; ++cpu) {
    stream.Device("cpu_common", cpu, FieldsBuilder().Integer("halted", cpu, 4));
    stream.Device("cpu", cpu, Cpu(0xffff000000000000 + 0x10000 * cpu));
  }
  stream.Device("globalstate", 0, FieldsBuilder().Integer("size", 8, 4).Buffer("runstate", 100));
  return stream;
}

TEST(VcpuStateTest, ReadsEveryRegisterByItsDescription) {
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
}

TEST(VcpuStateTest, AMissingRegisterIsNamed) {
  const auto vcpus = ParseVcpus(MigrationStream().Device("cpu", 3, Cpu(1, false)).Finish());
  ASSERT_FALSE(vcpus);
  EXPECT_EQ(vcpus.error().code(), ErrorCode::kUnsupported);
  EXPECT_THAT(vcpus.error().ToString(), HasSubstr("'env.lstar' for vCPU 3"));
}

TEST(VcpuStateTest, AMachineWithoutVcpusIsUnsupported) {
  const auto vcpus = ParseVcpus(MigrationStream().Finish());
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

TEST(VcpuStateTest, ADescriptionThatClaimsMoreThanThereIsIsDamage) {
  const MigrationStream sections = TwoCpus();
  for (const char* description : {
           R"({"devices": [{"name": "cpu", "fields": [{"name": "x", "size": 99999999999}]}]})",
           R"({"devices": [{"name": "cpu", "fields": [{"name": "x", "size": -1}]}]})",
           R"({"devices": [{"name": "cpu", "fields":
               [{"name": "x", "size": 0, "array_len": 9000000000000}]}]})",
           R"({"devices": [{"name": "cpu", "fields":
               [{"name": "x", "array_len": 9000000000000, "struct": {"fields": []}}]}]})",
           R"({"devices": [{"name": "cpu"}]})",
           R"({"devices": [17, null, "x"]})",
           R"({"devices": {}})",
           R"({})",
           R"([)",
           "",
       }) {
    const auto vcpus = ParseVcpus(sections.FinishWith(description));
    ASSERT_FALSE(vcpus) << description;
    EXPECT_TRUE(vcpus.error().code() == ErrorCode::kDamaged ||
                vcpus.error().code() == ErrorCode::kUnsupported)
        << vcpus.error().ToString();
  }
}

TEST(VcpuStateTest, ADescriptionNestedWithoutEndIsDamage) {
  std::string nested = R"({"fields": []})";
  for (int i = 0; i < 100; ++i) nested = R"({"fields": [{"name": "x", "struct": )" + nested + "}]}";
  const auto vcpus =
      ParseVcpus(TwoCpus().FinishWith(R"({"devices": [{"name": "cpu", "fields": [{"name": "y",
                                      "struct": )" +
                                      nested + "}]}]}"));
  ASSERT_FALSE(vcpus);
  EXPECT_THAT(vcpus.error().ToString(), HasSubstr("nested"));
}

TEST(VcpuStateTest, BytesOfTheGuestsThatLookLikeADeviceAreNotTakenForOne) {
  // A device whose contents are a whole "cpu" section with other registers.
  const auto fake = MigrationStream().Device("cpu", 0, Cpu(0xbad)).Finish();
  FieldsBuilder disguise;
  std::vector<uint64_t> bytes;
  for (const std::byte b : fake) bytes.push_back(std::to_integer<uint64_t>(b));
  disguise.Array("ram", bytes, 1);
  const auto stream = MigrationStream()
                          .Device("vga", 0, disguise)
                          .Device("cpu", 0, Cpu(0x600d0000))
                          .Device("nvram", 0, disguise)
                          .Finish();
  const auto vcpus = ParseVcpus(stream);
  ASSERT_TRUE(vcpus) << vcpus.error().ToString();
  ASSERT_EQ(vcpus->size(), 1u);
  EXPECT_EQ((*vcpus)[0].reg(Gpr::kRax), 0x600d0000u);
}

}  // namespace
}  // namespace ktstr
