#include "capture/freeze.h"

#include <gtest/gtest.h>

#include "fake_vm.h"

namespace ktstr {
namespace {

using Commands = std::vector<std::string>;

TEST(FreezeTest, ARunningGuestGoesOnWhenTheTokenGoes) {
  FakeVm vm("running", true);
  {
    const auto frozen = Frozen::Freeze(vm.qmp());
    ASSERT_TRUE(frozen) << frozen.error().ToString();
    EXPECT_TRUE(frozen->was_running());
    EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop"}));
  }
  EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop", "cont"}));
}

TEST(FreezeTest, AGuestThatStoodStillBeforeStaysSo) {
  for (const char* state : {"paused", "debug", "postmigrate", "prelaunch", "guest-panicked"}) {
    FakeVm vm(state, false);
    {
      const auto frozen = Frozen::Freeze(vm.qmp());
      ASSERT_TRUE(frozen) << frozen.error().ToString();
      EXPECT_EQ(frozen->state_before(), state);
    }
    EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop"})) << state;
  }
}

TEST(FreezeTest, AMovedTokenResumesOnce) {
  FakeVm vm("running", true);
  {
    Frozen first = *Frozen::Freeze(vm.qmp());
    Frozen second = std::move(first);
    EXPECT_TRUE(second.Resume());
    EXPECT_TRUE(second.Resume());
  }
  EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop", "cont"}));
}

TEST(FreezeTest, AnAbandonedTokenLeavesTheGuestFrozen) {
  FakeVm vm("running", true);
  {
    Frozen frozen = *Frozen::Freeze(vm.qmp());
    frozen.Abandon();
  }
  EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop"}));
}

TEST(FreezeTest, AMachineThatIsBeingLoadedCannotBeFrozen) {
  FakeVm vm("inmigrate", false);
  const auto frozen = Frozen::Freeze(vm.qmp());
  ASSERT_FALSE(frozen);
  EXPECT_EQ(frozen.error().code(), ErrorCode::kPeer);
  EXPECT_EQ(vm.commands(), Commands{"query-status"});
}

}  // namespace
}  // namespace ktstr
