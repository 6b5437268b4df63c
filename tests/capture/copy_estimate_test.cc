#include "capture/copy_estimate.h"

#include <gtest/gtest.h>

#include "fixtures/synthetic/buffer_memory.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;

TEST(CopyEstimateTest, ZerosAndPagesThatRepeatAreNotCounted) {
  BufferMemory memory(64'000 * kPageSize);
  EXPECT_EQ(EstimateCopies(memory), 0u);
  // As the struct pages of free memory are: a list head of their own, and what is the same.
  for (uint64_t pfn = 0; pfn < 32'000; ++pfn) {
    for (uint64_t at = 0; at < kPageSize; at += 64) {
      const Pa pa = Pfn(pfn).pa() + at;
      memory.Put<uint64_t>(pa, 0x17ffffc0000000);
      memory.Put<uint64_t>(pa + 8, pa.value());
      memory.Put<uint64_t>(pa + 16, pa.value());
      memory.Put<uint64_t>(pa + 24, 1);
      memory.Put<uint64_t>(pa + 32, 0xffffffff);
    }
  }
  EXPECT_LE(EstimateCopies(memory), 64 * kPageSize);
}

TEST(CopyEstimateTest, ItIsAboutWhatIsThere) {
  BufferMemory memory(64'000 * kPageSize);
  for (uint64_t pfn = 10'000; pfn < 42'000; ++pfn) {
    for (uint64_t at = 0; at < kPageSize; at += 8) {
      memory.Put<uint64_t>(Pfn(pfn).pa() + at, (pfn * 512 + at) * 0x9e3779b97f4a7c15);
    }
  }
  const uint64_t estimate = EstimateCopies(memory);
  EXPECT_GT(estimate, 31'000 * kPageSize);
  EXPECT_LT(estimate, 33'000 * kPageSize);
}

}  // namespace
}  // namespace ktstr
