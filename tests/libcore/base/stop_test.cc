#include "libcore/base/stop.h"

#include <gtest/gtest.h>

namespace ktstr {
namespace {

using Reason = Stop::Reason;

TEST(StopTest, IsWantedByNobodyAtFirst) { EXPECT_EQ(Stop().reason(), Reason::kNone); }

TEST(StopTest, IsWantedWhenSomebodyAsks) {
  std::atomic<bool> asked = false;
  const Stop stop(&asked, Stop::Clock::time_point::max());
  EXPECT_FALSE(stop.IsWanted());
  asked = true;
  EXPECT_EQ(stop.reason(), Reason::kInterrupt);
}

TEST(StopTest, IsWantedWhenItsTimeHasPassed) {
  EXPECT_EQ(Stop(nullptr, Stop::Clock::time_point::min()).reason(), Reason::kTimeout);
  EXPECT_EQ(Stop(nullptr, Stop::Clock::time_point::max()).reason(), Reason::kNone);
}

}  // namespace
}  // namespace ktstr
