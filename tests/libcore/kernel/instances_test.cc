// Several kernels in one memory: which there are, whose each vCPU is, and which is asked.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fixtures/synthetic/kernel_builder.h"
#include "fixtures/synthetic/page_tables.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::PageTables;
using synthetic::SyntheticGuest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kTwoMiB = uint64_t{2} << 20;
constexpr uint64_t kInterruptsOn = uint64_t{1} << 9;

// Puts a second kernel, no more than its note and its page tables, into the guest's memory: at 52
// MiB, where the builder puts nothing. Returns the root of its tables.
Pa AddKernel(SyntheticGuest& guest, const std::string& more = "", Pa note_at = Pa(50 << 20)) {
  constexpr Pa kTables{52 << 20}, kText{56 << 20};
  constexpr Kva kRunTimeText{0xffffffff90000000};
  PageTables tables(*guest.memory, kTables, 4);
  tables.Map(kRunTimeText, kText, kTwoMiB);
  const uint64_t phys_base = kText.value() - (kRunTimeText - kStartKernelMap);
  const std::string note = fmt::format(
      "OSRELEASE=6.1.0-other\nBUILD-ID=ff\nSYMBOL(swapper_pg_dir)={:x}\nSYMBOL(_stext)={:x}\n"
      "NUMBER(phys_base)={}\nNUMBER(pgtable_l5_enabled)=0\n{}",
      tables.root().value() - phys_base + kStartKernelMap.value(), kRunTimeText.value(),
      static_cast<int64_t>(phys_base), more);
  guest.memory->PutBytes(note_at, std::as_bytes(std::span(note)));
  return tables.root();
}

void Park(VcpuRegisters& vcpu, Pa root) {
  vcpu.cr3 = root.value();
  vcpu.halted = true;
  vcpu.rflags &= ~kInterruptsOn;
}

TEST(InstancesTest, OneKernelIsTheOnlyOne) {
  SyntheticGuest guest = KernelBuilder().Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  ASSERT_THAT((*kernel)->instances(), SizeIs(1));
  EXPECT_THAT((*kernel)->instances()[0].vcpus, ElementsAre(0u, 1u));
  EXPECT_EQ((*kernel)->instances()[0].running, 2u);
  EXPECT_TRUE((*kernel)->all_instances_known());
  EXPECT_THAT((*kernel)->own_vcpus(), SizeIs(2));
  EXPECT_THAT((*kernel)->saved_registers(), IsEmpty());
}

TEST(InstancesTest, TheOneThatRunsComesBeforeTheOneThatCrashed) {
  SyntheticGuest guest = KernelBuilder().Finish();
  Park(guest.vcpus[0], AddKernel(guest, "CRASHTIME=1700000000\n"));
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const auto instances = (*kernel)->instances();
  ASSERT_THAT(instances, SizeIs(2));
  EXPECT_EQ(instances[0].release, "6.12.0-synthetic");
  EXPECT_THAT(instances[0].vcpus, ElementsAre(1u));
  EXPECT_EQ(instances[0].crashed_at, std::nullopt);
  EXPECT_EQ(instances[1].release, "6.1.0-other");
  EXPECT_THAT(instances[1].vcpus, ElementsAre(0u));
  EXPECT_EQ(instances[1].running, 0u);
  EXPECT_EQ(instances[1].crashed_at, 1700000000);
  // The other's vCPU is none of this one's.
  ASSERT_THAT((*kernel)->own_vcpus(), SizeIs(1));
  EXPECT_EQ((*kernel)->own_vcpus()[0].cpu, 1u);
  EXPECT_EQ((*kernel)->InstanceOf(guest.vcpus[0]), 2u);
  EXPECT_TRUE((*kernel)->Disagreements().empty());
}

// A kernel adds the time of its crash to one copy of its note only, which can lie behind the other.
TEST(InstancesTest, AnArchiveLeadsToTheNoteThatTellsOfTheCrash) {
  SyntheticGuest guest = KernelBuilder().Finish();
  AddKernel(guest);
  constexpr Pa kSecond{51 << 20};
  Park(guest.vcpus[0], AddKernel(guest, "CRASHTIME=1700000000\n", kSecond));
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  ASSERT_THAT((*kernel)->instances(), SizeIs(2));
  EXPECT_EQ((*kernel)->instances()[1].crashed_at, 1700000000);
  // That is what the archive of such a machine says.
  EXPECT_THAT((*kernel)->derivations(),
              testing::Contains(testing::AllOf(testing::Field(&Derivation::name, "vmcoreinfo_pa_2"),
                                               testing::Field(&Derivation::value, "0x3300000"))));
}

TEST(InstancesTest, WhatAKexecLeftIsTheLast) {
  SyntheticGuest guest = KernelBuilder().Finish();
  AddKernel(guest);
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  ASSERT_THAT((*kernel)->instances(), SizeIs(2));
  EXPECT_EQ((*kernel)->release(), "6.12.0-synthetic");
  EXPECT_THAT((*kernel)->instances()[1].vcpus, IsEmpty());
}

TEST(InstancesTest, AVcpuWhosePageTablesWereWrittenOverIsNoKernel) {
  SyntheticGuest guest = KernelBuilder().Finish();
  const Pa root = AddKernel(guest);
  Park(guest.vcpus[0], root);
  // The note is gone.
  guest.memory->PutBytes(Pa(50 << 20), std::as_bytes(std::span("gone", 4)));
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_THAT((*kernel)->instances(), SizeIs(1));
  EXPECT_THAT((*kernel)->own_vcpus(), SizeIs(1));
}

TEST(InstancesTest, AHintThatFitsSavesLookingForOthersUntilTheyAreAskedFor) {
  SyntheticGuest guest = KernelBuilder().Finish();
  AddKernel(guest);
  const auto hinted =
      GuestKernel::Open(*guest.memory, guest.vcpus, {.vmcoreinfo_hints = {guest.vmcoreinfo}});
  ASSERT_TRUE(hinted) << hinted.error().ToString();
  EXPECT_THAT((*hinted)->instances(), SizeIs(1));
  EXPECT_FALSE((*hinted)->all_instances_known());
  const auto third = GuestKernel::Open(*guest.memory, guest.vcpus,
                                       {.vmcoreinfo_hints = {guest.vmcoreinfo}, .instance = 3});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_THAT(third.error().message(), HasSubstr("there is no kernel 3: memory holds 2"));
}

// A kernel with one CPU's crash note: struct elf_prstatus with a few registers.
class CrashNoteTest : public ::testing::Test {
 protected:
  static constexpr size_t kNoteSize = 20 + 336, kPid = 20 + 32, kRegisters = 20 + 112;

  std::span<const SavedRegisters> Open(uint32_t name_size) {
    KernelBuilder builder;
    const Kva notes = builder.Data("crash_notes", 8);
    builder.PerCpuVariable("the_notes", kNoteSize);
    builder.Put(notes, builder.PerCpuPointer("the_notes"));
    const Kva note = builder.PerCpu("the_notes", 1);
    builder.Put<uint32_t>(note, name_size);
    builder.Put<uint32_t>(note + 4, 336);
    builder.Put<uint32_t>(note + 8, 1);
    builder.PutText(note + 12, "CORE");
    builder.Put<int32_t>(note + kPid, 77);
    builder.Put<uint64_t>(note + kRegisters + 4 * 8, 0xb9);                 // bp
    builder.Put<uint64_t>(note + kRegisters + 16 * 8, 0xffffffff81000123);  // ip
    builder.Put<uint64_t>(note + kRegisters + 17 * 8, 0x10);                // cs
    builder.Put<uint64_t>(note + kRegisters + 19 * 8, 0xffffc90000001000);  // sp
    guest_ = builder.Finish();
    kernel_ = GuestKernel::Open(*guest_.memory, guest_.vcpus).value();
    return kernel_->saved_registers();
  }

  SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

TEST_F(CrashNoteTest, IsReadAsTheRegistersOfItsCpu) {
  const auto saved = Open(5);
  ASSERT_THAT(saved, SizeIs(1));
  EXPECT_EQ(saved[0].cpu, 1u);
  EXPECT_EQ(saved[0].pid, 77);
  EXPECT_EQ(saved[0].registers.rip, 0xffffffff81000123u);
  EXPECT_EQ(saved[0].registers.reg(Gpr::kRbp), 0xb9u);
  EXPECT_EQ(saved[0].registers.reg(Gpr::kRsp), 0xffffc90000001000u);
  EXPECT_EQ(saved[0].registers.mode(), VcpuMode::kKernel);
  EXPECT_EQ(saved[0].registers.gs.base, kernel_->PerCpu(Kva(0), 1)->value());
}

TEST_F(CrashNoteTest, IsNoneWithAnotherHeader) { EXPECT_THAT(Open(4), IsEmpty()); }

}  // namespace
}  // namespace ktstr
