// Proves: of registers a note keeps what it has room for, and says of the rest that it is unknown.
#include "replay/vmcore/cpu_notes.h"

#include <gtest/gtest.h>

#include "fixtures/sample/sample_guest.h"
#include "libcore/archive/vcpu_codec.h"

namespace ktstr::vmcore {
namespace {

VcpuRegisters Sample() { return synthetic::MakeSampleGuest().vcpus.front(); }

TEST(CpuNotesTest, QemusStateLacksThoseOfSystemCalls) {
  const VcpuRegisters before = Sample();
  const auto after = FromQemuState(ToQemuState(before), before.cpu);
  ASSERT_TRUE(after) << after.error().ToString();
  VcpuRegisters expected = before;
  expected.efer = expected.star = expected.lstar = expected.cstar = expected.fmask = 0;
  expected.tsc = 0;
  expected.halted = false;
  for (const auto group :
       {RegisterGroup::kSystemCalls, RegisterGroup::kTsc, RegisterGroup::kHalted}) {
    expected.Forget(group);
  }
  EXPECT_EQ(*after, expected);
}

TEST(CpuNotesTest, AStateOfAnotherVersionIsRefused) {
  std::vector<std::byte> state = ToQemuState(Sample());
  EXPECT_FALSE(FromQemuState(std::span(state).first(100), 0));
  state[0] = std::byte{2};
  const auto other = FromQemuState(state, 0);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kUnsupported);
}

// The kernel saves there the GS base of user space, wherever the CPU is.
TEST(CpuNotesTest, PrStatusHasGeneralRegistersAlone) {
  VcpuRegisters before = Sample();
  before.cs.selector = 0x10;
  const std::vector<std::byte> status = ToPrStatus(before);
  ASSERT_EQ(status.size(), kPrStatusSize);
  const VcpuRegisters kernel = FromPrStatus(status, 3);
  EXPECT_EQ(kernel.cpu, 3u);
  EXPECT_EQ(kernel.gpr, before.gpr);
  EXPECT_EQ(kernel.rip, before.rip);
  EXPECT_EQ(kernel.rflags, before.rflags);
  EXPECT_EQ(kernel.fs.base, before.fs.base);
  EXPECT_EQ(kernel.kernel_gs_base, before.gs.base);
  EXPECT_FALSE(kernel.Knows(RegisterGroup::kGsBase));
  EXPECT_FALSE(kernel.Knows(RegisterGroup::kControl));
  before.cs.selector = 0x33;
  const VcpuRegisters user = FromPrStatus(ToPrStatus(before), 3);
  EXPECT_EQ(user.gs.base, before.gs.base);
  EXPECT_TRUE(user.Knows(RegisterGroup::kGsBase));
  EXPECT_FALSE(user.Knows(RegisterGroup::kKernelGsBase));
}

TEST(CpuNotesTest, ArchivesKeepWhatIsUnknown) {
  std::vector<VcpuRegisters> vcpus = {Sample(), Sample()};
  const size_t whole = archive::EncodeVcpus(vcpus).size();
  vcpus[1] = FromPrStatus(ToPrStatus(vcpus[1]), 1);
  const std::vector<std::byte> encoded = archive::EncodeVcpus(vcpus);
  EXPECT_EQ(encoded.size(), whole + 8) << "records of machines of which all is known are as before";
  const auto decoded = archive::DecodeVcpus(encoded);
  ASSERT_TRUE(decoded) << decoded.error().ToString();
  EXPECT_EQ(*decoded, vcpus);
}

}  // namespace
}  // namespace ktstr::vmcore
