#include "capture/boot/boot_retry.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace ktstr {
namespace {

constexpr char kStaleBreakpoint[] = "[    1.2] int3: 0000 [#1] PREEMPT SMP NOPTI\n";

FailedBoot OnTcg() { return {.accelerator = Accelerator::kTcg}; }

TEST(BootRetryTest, AKernelThatRanIntoAStaleBreakpointIsBootedAgain) {
  FailedBoot boot = OnTcg();
  EXPECT_FALSE(WhyBootAgain(boot));
  boot.console = kStaleBreakpoint;
  EXPECT_TRUE(WhyBootAgain(boot));
  boot.accelerator = Accelerator::kKvm;
  EXPECT_FALSE(WhyBootAgain(boot));
}

TEST(BootRetryTest, AMachineWhoseQemuAbortedIsStartedAgain) {
  FailedBoot boot = OnTcg();
  boot.qemu_status = SIGABRT;
  EXPECT_TRUE(WhyBootAgain(boot));
  boot.accelerator = Accelerator::kKvm;
  EXPECT_FALSE(WhyBootAgain(boot));
}

TEST(BootRetryTest, AGuestThatWasNotHeardOfInTimeGetsOneMoreBoot) {
  FailedBoot boot = OnTcg();
  boot.timed_out = true;
  EXPECT_TRUE(WhyBootAgain(boot));
  boot.attempt = 2;
  EXPECT_FALSE(WhyBootAgain(boot));
  boot.attempt = 1;
  boot.accelerator = Accelerator::kKvm;
  EXPECT_FALSE(WhyBootAgain(boot));
}

TEST(BootRetryTest, OtherEndsOfQemuAreFinal) {
  FailedBoot boot = OnTcg();
  boot.console = "Kernel panic - not syncing: No working init found.\n";
  for (const int status : {0, 1 << 8, int{SIGKILL}, int{SIGSEGV}, SIGABRT << 8}) {
    boot.qemu_status = status;
    EXPECT_FALSE(WhyBootAgain(boot)) << status;
  }
}

TEST(BootRetryTest, AllReasonsShareTheNumberOfAttempts) {
  FailedBoot boot = OnTcg();
  boot.console = kStaleBreakpoint;
  boot.attempt = kBootAttempts - 1;
  EXPECT_TRUE(WhyBootAgain(boot));
  boot.attempt = kBootAttempts;
  EXPECT_FALSE(WhyBootAgain(boot));
  boot.console = "";
  boot.qemu_status = SIGABRT;
  EXPECT_FALSE(WhyBootAgain(boot));
}

}  // namespace
}  // namespace ktstr
