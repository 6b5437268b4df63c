#include "libcore/base/progress.h"

#include <gtest/gtest.h>

#include <vector>

namespace ktstr {
namespace {

TEST(ProgressStepsTest, GrowToAllAndNoFurther) {
  std::vector<uint64_t> seen;
  const Progress progress = [&](uint64_t done, uint64_t all) {
    EXPECT_EQ(all, 10u);
    seen.push_back(done);
  };
  ProgressSteps steps(progress, 10);
  for (const uint64_t weight : {0, 4, 4, 4}) steps.Done(weight);
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, 4, 8, 10}));
}

TEST(ProgressStepsTest, NobodyNeedsToListen) {
  const Progress nobody;
  ProgressSteps(nobody, 1).Done(1);
}

}  // namespace
}  // namespace ktstr
