#include "capture/copy_estimate.h"

#include <gtest/gtest.h>

#include <array>
#include <span>

#include "fixtures/synthetic/buffer_memory.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;

using WordsOfPage = std::array<uint64_t, kPageSize / sizeof(uint64_t)>;
void PutPage(BufferMemory& memory, uint64_t pfn, const WordsOfPage& words) {
  memory.PutBytes(Pfn(pfn).pa(), std::as_bytes(std::span(words)));
}

TEST(CopyEstimateTest, ZerosAndPagesThatRepeatAreNotCounted) {
  BufferMemory memory(64'000 * kPageSize);
  EXPECT_EQ(EstimateCopies(memory), 0u);
  // As the struct pages of free memory are: a list head of their own, and what is the same.
  for (uint64_t pfn = 0; pfn < 32'000; ++pfn) {
    WordsOfPage words{};
    for (size_t at = 0; at < words.size(); at += 8) {
      const uint64_t pa = (Pfn(pfn).pa() + at * 8).value();
      words[at] = 0x17ffffc0000000;
      words[at + 1] = words[at + 2] = pa;
      words[at + 3] = 1;
      words[at + 4] = 0xffffffff;
    }
    PutPage(memory, pfn, words);
  }
  EXPECT_LE(EstimateCopies(memory), 64 * kPageSize);
}

TEST(CopyEstimateTest, ItIsAboutWhatIsThere) {
  BufferMemory memory(64'000 * kPageSize);
  for (uint64_t pfn = 10'000; pfn < 42'000; ++pfn) {
    WordsOfPage words;
    for (uint64_t i = 0; i < words.size(); ++i) words[i] = (pfn * 512 + i * 8) * 0x9e3779b97f4a7c15;
    PutPage(memory, pfn, words);
  }
  const uint64_t estimate = EstimateCopies(memory);
  EXPECT_GT(estimate, 31'000 * kPageSize);
  EXPECT_LT(estimate, 33'000 * kPageSize);
}

}  // namespace
}  // namespace ktstr
