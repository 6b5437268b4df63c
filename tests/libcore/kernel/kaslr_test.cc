// The KASLR offset by every method that applies, each recorded, a disagreement reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "fixtures/synthetic/kernel_builder.h"
#include "libcore/kernel/guest_kernel.h"

namespace ktstr {
namespace {

using synthetic::KernelBuilder;
using synthetic::KernelOptions;
using synthetic::SyntheticGuest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::map<std::string, std::string> Methods(const GuestKernel& kernel) {
  std::map<std::string, std::string> methods;
  for (const Derivation& d : kernel.derivations()) {
    if (d.name == "kaslr_offset") methods[d.method] = d.value;
  }
  return methods;
}

TEST(KaslrTest, EveryMethodGivesTheSameOffset) {
  SyntheticGuest guest = KernelBuilder(KernelOptions{.kaslr_offset = 0x2a600000}).Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  const std::string expected = "0x2a600000";
  EXPECT_THAT(Methods(**kernel),
              ElementsAre(std::pair("cr3", expected), std::pair("idt", expected),
                          std::pair("lstar", expected), std::pair("vmcoreinfo", expected)));
}

TEST(KaslrTest, WithoutKaslrTheOffsetIsAKnownZero) {
  SyntheticGuest guest = KernelBuilder(KernelOptions{.kaslr_offset = 0}).Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ((*kernel)->kaslr_offset(), 0u);
}

TEST(KaslrTest, AMethodThatDoesNotApplyIsRecordedWithItsReason) {
  SyntheticGuest guest = KernelBuilder(KernelOptions{.with_lstar = false}).Finish();
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ(Methods(**kernel)["lstar"], "");
  for (const Derivation& d : (*kernel)->derivations()) {
    if (d.method == "lstar") {
      EXPECT_THAT(d.note, HasSubstr("LSTAR is 0"));
    }
  }
  EXPECT_EQ((*kernel)->kaslr_offset(), KernelOptions().kaslr_offset);
}

TEST(KaslrTest, ADisagreementIsReportedAndTheMajorityIsTaken) {
  SyntheticGuest guest = KernelBuilder().Finish();
  for (VcpuRegisters& vcpu : guest.vcpus) vcpu.lstar += 0x200000;
  const auto kernel = GuestKernel::Open(*guest.memory, guest.vcpus);
  ASSERT_TRUE(kernel) << kernel.error().ToString();
  EXPECT_EQ((*kernel)->kaslr_offset(), KernelOptions().kaslr_offset);
  const auto disagreements = (*kernel)->Disagreements();
  ASSERT_EQ(disagreements.size(), 1u);
  EXPECT_THAT(disagreements[0], HasSubstr("kaslr_offset"));
  EXPECT_THAT(disagreements[0], HasSubstr("0x1d600000 by lstar"));
}

}  // namespace
}  // namespace ktstr
