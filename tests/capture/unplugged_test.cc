// Which blocks of a virtio-mem device are not plugged, out of the device state.
#include "capture/qemu/unplugged.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr uint64_t kBlock = 2 << 20, kBlockPages = kBlock / kPageSize;
constexpr Pa kBegin{0x140000000};

VirtioMemDevice Device(uint64_t plugged_blocks) {
  return {.id = "vm0",
          .begin = kBegin,
          .max_size = 4 * kBlock,
          .size = plugged_blocks * kBlock,
          .block_size = kBlock};
}

MemoryRegion Blocks(uint64_t begin, uint64_t end) {
  return {Pfn::Of(kBegin) + begin * kBlockPages, Pfn::Of(kBegin) + end * kBlockPages};
}

class State {
 public:
  State& U64(uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes_.push_back(std::byte(value >> shift & 0xff));
    return *this;
  }
  // What a device's state begins with.
  State& Head() {
    U64(0x1234).U64(kBegin.value()).U64(4 * kBlock).U64(kBlock);
    bytes_.insert(bytes_.end(), 4, std::byte{0});  // the node
    return *this;
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

TEST(UnpluggedTest, AreTheBlocksThatTheBitmapLacks) {
  State state;
  state.Head().U64(4 * kBlock).U64(2 * kBlock).U64(2 * kBlock).U64(0b0101);
  const Unplugged found = FindUnplugged(std::vector{Device(2)}, state.bytes());
  EXPECT_THAT(found.regions, ElementsAre(Blocks(1, 2), Blocks(3, 4)));
  EXPECT_THAT(found.unknown, IsEmpty());
}

TEST(UnpluggedTest, AreReadFromThePartThatIsSentEarlyAsWell) {
  State state;
  state.Head().U64(1 * kBlock).U64(0b1000).U64(0);
  EXPECT_THAT(FindUnplugged(std::vector{Device(1)}, state.bytes()).regions,
              ElementsAre(Blocks(0, 3)));
}

TEST(UnpluggedTest, NeedNoBitmapWhereAllOrNoneArePlugged) {
  EXPECT_THAT(FindUnplugged(std::vector{Device(0)}, {}).regions, ElementsAre(Blocks(0, 4)));
  EXPECT_THAT(FindUnplugged(std::vector{Device(4)}, {}).regions, IsEmpty());
}

TEST(UnpluggedTest, AreNotKnownByABitmapThatDisagreesWithTheMonitor) {
  State state;
  state.Head().U64(4 * kBlock).U64(2 * kBlock).U64(2 * kBlock).U64(0b0111);
  const Unplugged found = FindUnplugged(std::vector{Device(2)}, state.bytes());
  EXPECT_THAT(found.regions, IsEmpty());
  EXPECT_THAT(found.unknown, ElementsAre("vm0"));
}

}  // namespace
}  // namespace ktstr
