// Whose end a trigger tells of, where there are several schedulers.
#include "capture/run/exit_account.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fixtures/synthetic/scx_builder.h"

namespace ktstr {
namespace {

using synthetic::ScxBuilder;
using synthetic::ScxExit;
using synthetic::ScxLayout;

constexpr int32_t kExitNone = 0, kExitParent = 68;

ScxExit Exit(int32_t kind, const std::string& message = "") {
  return {.kind = kind, .reason = "a reason", .message = message};
}

// A root, "middle" of /a and "inner" of /a/b, each below the one before.
class ExitAccountTest : public ::testing::Test {
 protected:
  void Make(const ScxExit& root, const ScxExit& middle, const ScxExit& inner) {
    root_ = scx_.AddScheduler({.name = "root", .exit = root});
    middle_ = scx_.AddScheduler({.name = "middle", .exit = middle, .cgroup = "/a"}, root_);
    inner_ = scx_.AddScheduler({.name = "inner", .exit = inner, .cgroup = "/a/b"}, middle_);
  }
  const GuestKernel& Kernel() {
    scx_.Finish();
    sched_.Finish();
    guest_ = builder_.Finish();
    auto kernel = GuestKernel::Open(*guest_.memory, guest_.vcpus);
    EXPECT_TRUE(kernel) << kernel.error().ToString();
    kernel_ = std::move(kernel).value();
    return *kernel_;
  }
  static Fired AccountOf(const GuestKernel& kernel, std::optional<Kva> ending) {
    Fired fired;
    AddAccount(kernel, TriggerKind::kSchedulerExit, ending, &fired);
    return fired;
  }

  synthetic::KernelBuilder builder_{{.zero_based_per_cpu = false}};
  synthetic::SchedBuilder sched_{builder_, ScxBuilder::Types(ScxLayout::kCaps)};
  ScxBuilder scx_{builder_, sched_, ScxLayout::kCaps};
  Kva root_, middle_, inner_;
  synthetic::SyntheticGuest guest_;
  std::unique_ptr<GuestKernel> kernel_;
};

TEST_F(ExitAccountTest, TheSchedulerThatEndsIsNamedWithItsCgroup) {
  Make(Exit(kExitNone), Exit(kExitNone), Exit(ScxBuilder::kExitErrorStall, "it stalls"));
  const Fired fired = AccountOf(Kernel(), inner_);
  EXPECT_EQ(fired.detail, "the scheduler inner of cgroup /a/b ends: a reason: it stalls");
  EXPECT_EQ(fired.values.at("ops_name"), "inner");
  EXPECT_EQ(fired.values.at("cgroup"), "/a/b");
  EXPECT_EQ(fired.values.at("exit_kind"), "error_stall");
}

TEST_F(ExitAccountTest, TheRootSchedulerHasNoCgroup) {
  Make(Exit(ScxBuilder::kExitUnreg), Exit(kExitNone), Exit(kExitNone));
  const Fired fired = AccountOf(Kernel(), root_);
  EXPECT_EQ(fired.detail, "the scheduler root ends: a reason");
  EXPECT_FALSE(fired.values.contains("cgroup"));
}

TEST_F(ExitAccountTest, WhenItIsNotKnownItIsTheFirstWithAReasonOfItsOwn) {
  Make(Exit(kExitNone), Exit(ScxBuilder::kExitErrorStall), Exit(kExitParent));
  EXPECT_EQ(AccountOf(Kernel(), std::nullopt).values.at("ops_name"), "middle");
}

TEST_F(ExitAccountTest, OneThatEndsWithItsParentTellsOfTheParent) {
  Make(Exit(kExitNone), Exit(ScxBuilder::kExitErrorStall), Exit(kExitParent));
  EXPECT_EQ(AccountOf(Kernel(), inner_).values.at("ops_name"), "middle");
}

TEST_F(ExitAccountTest, OneThatIsInNoListIsNamedAsWell) {
  Make(Exit(kExitNone), Exit(kExitNone), Exit(ScxBuilder::kExitErrorStall));
  const Kva alone = scx_.AddScheduler(
      {.name = "alone", .exit = Exit(ScxBuilder::kExitErrorStall), .cgroup = "/c"}, inner_);
  scx_.TakeOutOfTree(alone);
  scx_.TakeOffTheList(alone);
  EXPECT_EQ(AccountOf(Kernel(), alone).values.at("cgroup"), "/c");
}

TEST_F(ExitAccountTest, AWorksPlaceInTheSchedulerTellsWhichEnds) {
  Make(Exit(kExitNone), Exit(kExitNone), Exit(kExitNone));
  const Kva work = inner_ + builder_.MemberOf("scx_sched", "disable_work").offset;
  const GuestKernel& kernel = Kernel();
  EXPECT_EQ(EndingScheduler(kernel, "scx_disable_workfn", work), inner_);
  EXPECT_EQ(EndingScheduler(kernel, "scx_root_disable", work), std::nullopt);
  // This kernel has no such work.
  EXPECT_EQ(EndingScheduler(kernel, "scx_error_irq_workfn", work), std::nullopt);
}

}  // namespace
}  // namespace ktstr
