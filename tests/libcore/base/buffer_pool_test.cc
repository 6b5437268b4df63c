#include "libcore/base/buffer_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>
#include <vector>

namespace ktstr {
namespace {

TEST(BufferPoolTest, BuffersDoNotOverlapAndAreUsedAgain) {
  constexpr uint64_t kSize = 96 << 10;  // no divisor of a huge page
  BufferPool pool(kSize, BufferPool::PageSize::kHuge);
  std::vector<std::shared_ptr<std::byte[]>> taken;
  for (int i = 0; i < 100; ++i) {
    taken.push_back(pool.Take());
    std::memset(taken.back().get(), i, kSize);
  }
  std::set<std::byte*> places;
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(taken[i][0], std::byte(i));
    EXPECT_EQ(taken[i][kSize - 1], std::byte(i));
    places.insert(taken[i].get());
  }
  taken.clear();
  for (int i = 0; i < 100; ++i) taken.push_back(pool.Take());
  for (const auto& buffer : taken) EXPECT_TRUE(places.contains(buffer.get()));
}

TEST(BufferPoolTest, ABufferOutlivesThePool) {
  std::shared_ptr<std::byte[]> buffer;
  {
    BufferPool pool(uint64_t{4} << 20, BufferPool::PageSize::kSmall);
    buffer = pool.Take();
  }
  std::memset(buffer.get(), 1, uint64_t{4} << 20);
  EXPECT_EQ(buffer[(4 << 20) - 1], std::byte(1));
}

TEST(BufferPoolTest, WhatIsReservedIsThereAndUsedFirst) {
  constexpr uint64_t kSize = 512 << 10;
  BufferPool pool(kSize, BufferPool::PageSize::kSmall);
  EXPECT_EQ(pool.buffer_size(), kSize);
  pool.Reserve(20 * kSize, 3);
  std::vector<std::shared_ptr<std::byte[]>> taken;
  for (int i = 0; i < 30; ++i) {
    taken.push_back(pool.Take());
    std::memset(taken.back().get(), i, kSize);
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(taken[i][kSize - 1], std::byte(i));
}

// Else the first write to each page after a fork would copy it.
TEST(BufferPoolDeathTest, AForkedProcessHasNoPartInWhatIsReserved) {
  BufferPool pool(uint64_t{512} << 10, BufferPool::PageSize::kSmall);
  pool.Reserve(1, 1);
  const std::shared_ptr<std::byte[]> buffer = pool.Take();
  std::memset(buffer.get(), 1, 100);
  EXPECT_DEATH(std::memset(buffer.get(), 2, 100), "");
}

// A hint is no reason to end.
TEST(BufferPoolDeathTest, WhatTheSystemDoesNotGiveIsNotReserved) {
  const auto reserve = [] {
    std::ifstream sizes("/proc/self/statm");
    uint64_t pages = 0;
    sizes >> pages;
    const rlim_t most = pages * 4096 + (uint64_t{64} << 20);
    const rlimit limit = {most, most};
    BufferPool pool(uint64_t{512} << 10, BufferPool::PageSize::kSmall);
    if (setrlimit(RLIMIT_AS, &limit) != 0) std::_Exit(1);
    pool.Reserve(uint64_t{256} << 20, 2);
    std::memset(pool.Take().get(), 1, 100);
    std::_Exit(0);
  };
  EXPECT_EXIT(reserve(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace ktstr
