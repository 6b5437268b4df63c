#include "libcore/memory/guest_memory.h"

#include <gtest/gtest.h>

#include <array>

#include "fixtures/synthetic/buffer_memory.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;

TEST(GuestMemoryTest, AScalarAcrossAPageBorderIsReadWhole) {
  BufferMemory memory(4 * kPageSize);
  memory.Put<uint64_t>(Pa(2 * kPageSize - 3), 0x1122334455667788);
  EXPECT_EQ(memory.ReadScalar<uint64_t>(Pa(2 * kPageSize - 3)), 0x1122334455667788u);
}

TEST(GuestMemoryTest, UntouchedMemoryIsKnownToBeZero) {
  BufferMemory memory(kPageSize);
  EXPECT_EQ(memory.View(Pfn(0)).fate(), PageFate::kZero);
  EXPECT_EQ(memory.ReadScalar<uint32_t>(Pa(16)), 0u);
}

TEST(GuestMemoryTest, MissingMemoryIsAnErrorThatSaysWhyNeverZero) {
  BufferMemory memory(4 * kPageSize);
  memory.LeaveOut(Pfn(1), LeftOutReason::kPageCache);
  memory.Damage(Pfn(2));

  const auto left_out = memory.ReadScalar<uint32_t>(Pa(kPageSize));
  ASSERT_FALSE(left_out);
  EXPECT_EQ(left_out.error().code(), ErrorCode::kUnreadable);
  EXPECT_EQ(left_out.error().message(),
            "the page at guest-physical address 0x1000 was not captured (page cache)");

  const auto damaged = memory.ReadScalar<uint32_t>(Pa(2 * kPageSize));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::kUnreadable);

  const auto outside = memory.ReadScalar<uint32_t>(Pa(4 * kPageSize));
  ASSERT_FALSE(outside);
  EXPECT_EQ(outside.error().code(), ErrorCode::kOutOfRange);
}

TEST(GuestMemoryTest, AScalarWhoseSecondHalfIsMissingIsAnError) {
  BufferMemory memory(2 * kPageSize);
  memory.LeaveOut(Pfn(1), LeftOutReason::kFree);
  const auto value = memory.ReadScalar<uint64_t>(Pa(kPageSize - 4));
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code(), ErrorCode::kUnreadable);
}

TEST(GuestMemoryTest, AWriteToMissingMemoryIsAnErrorNeverDropped) {
  BufferMemory memory(2 * kPageSize);
  memory.LeaveOut(Pfn(1), LeftOutReason::kFree);
  const std::array<std::byte, 8> bytes = {};
  EXPECT_EQ(memory.Write(Pa(kPageSize), bytes).error().code(), ErrorCode::kUnreadable);
  EXPECT_EQ(memory.Write(Pa(2 * kPageSize), bytes).error().code(), ErrorCode::kOutOfRange);
}

TEST(GuestMemoryTest, FindRegionKnowsTheHoleBelow4GiB) {
  BufferMemory memory({{Pfn(0), Pfn(0x80000)}, {Pfn(0x100000), Pfn(0x180000)}});
  EXPECT_NE(memory.FindRegion(Pfn(0x7ffff)), nullptr);
  EXPECT_EQ(memory.FindRegion(Pfn(0x80000)), nullptr);
  EXPECT_EQ(memory.FindRegion(Pfn(0xfffff)), nullptr);
  EXPECT_NE(memory.FindRegion(Pfn(0x100000)), nullptr);
  EXPECT_EQ(memory.FindRegion(Pfn(0x180000)), nullptr);
  EXPECT_EQ(memory.end(), Pa(0x180000000));
  EXPECT_EQ(memory.page_count(), 0x100000u);
}

}  // namespace
}  // namespace ktstr
