// Exclusive access to a live guest lasts as long as the freeze that lends it.
#include <gtest/gtest.h>

#include <optional>

#include "capture/freeze.h"
#include "capture/live_ops.h"
#include "fake_vm.h"

namespace ktstr {
namespace {

// A live guest's operations ask for the freeze itself, and a freeze cannot be copied either.
template <typename Ops, typename... Arguments>
concept Dispatches = requires(Ops& ops, Arguments&... arguments) {
  ops.Dispatch(arguments...);
};
static_assert(Dispatches<LiveOps, Frozen, OpRequest>);
static_assert(!Dispatches<LiveOps, OpRequest>);
static_assert(!Dispatches<LiveOps, QmpClient, OpRequest>);
static_assert(!std::is_copy_constructible_v<Frozen>);
static_assert(!std::is_default_constructible_v<Frozen>);

using Commands = std::vector<std::string>;

TEST(ExclusiveFreezeTest, ItIsLentWhileTheGuestStandsStill) {
  FakeVm vm("running", true);
  Frozen frozen = *Frozen::Freeze(vm.qmp());
  const auto answer = frozen.Exclusively([&](const Exclusive&) {
    EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop"}));
    return 42;
  });
  EXPECT_EQ(answer, 42);
}

TEST(ExclusiveFreezeTest, AFreezeThatHasEndedLendsNothing) {
  FakeVm vm("running", true);
  Frozen frozen = *Frozen::Freeze(vm.qmp());
  ASSERT_TRUE(frozen.Resume());
  const auto answer = frozen.Exclusively([](const Exclusive&) {
    ADD_FAILURE() << "the guest runs";
    return 0;
  });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kInvalidArgument);
}

TEST(ExclusiveFreezeTest, TheGuestCannotGoOnInTheMiddle) {
  FakeVm vm("running", true);
  Frozen frozen = *Frozen::Freeze(vm.qmp());
  const auto resumed =
      frozen.Exclusively([&](const Exclusive&) { return frozen.Resume().has_value(); });
  EXPECT_EQ(resumed, false);
  EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop"}));
  EXPECT_TRUE(frozen.Resume());
  EXPECT_EQ(vm.commands(), (Commands{"query-status", "stop", "cont"}));
}

TEST(ExclusiveFreezeTest, OnlyOneAtATimeHasIt) {
  FakeVm vm("running", true);
  Frozen frozen = *Frozen::Freeze(vm.qmp());
  const auto nested = frozen.Exclusively([&](const Exclusive&) {
    return frozen.Exclusively([](const Exclusive&) { return 0; }).has_value();
  });
  EXPECT_EQ(nested, false);
}

}  // namespace
}  // namespace ktstr
