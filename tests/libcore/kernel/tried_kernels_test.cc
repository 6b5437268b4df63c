#include "libcore/kernel/tried_kernels.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

TEST(TriedKernels, OnlyANewerOneIsTold) {
  for (const char* release : {"6.1.0-50-cloud-amd64", "6.12.117", "6.99.1", "", "abc", "7", "7."}) {
    EXPECT_EQ(NewerThanTried(release), std::nullopt) << release;
  }
  const int major = kNewestTriedMajor, minor = kNewestTriedMinor;
  EXPECT_EQ(NewerThanTried(fmt::format("{}.{}.99-amd64", major, minor)), std::nullopt);
  for (const std::string& release :
       {fmt::format("{}.{}.0-rc1", major, minor + 1), fmt::format("{}.0", major + 1)}) {
    EXPECT_EQ(NewerThanTried(release),
              fmt::format("kernel {} is newer than this program was tried with ({}.{})", release,
                          major, minor));
  }
}

}  // namespace
}  // namespace ktstr
