#include "capture/qemu/memory_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ktstr {
namespace {

using testing::ElementsAre;

constexpr char kTree[] =
    "FlatView #0\r\n"
    " AS \"I/O\", root: io\r\n"
    " Root memory region: io\r\n"
    "  0000000000000000-0000000000000007 (prio 0, i/o): dma-chan\r\n"
    "\r\n"
    "FlatView #1\r\n"
    " AS \"cpu-smm-0\", root: memory\r\n"
    " Root memory region: memory\r\n"
    "  0000000000000000-00000000000fffff (prio 0, ram): other\r\n"
    "\r\n"
    "FlatView #2\r\n"
    " AS \"ICH9-LPC\", root: bus master container\r\n"
    " Root memory region: (none)\r\n"
    "  No rendered FlatView\r\n"
    "\r\n"
    "FlatView #3\r\n"
    " AS \"memory\", root: system\r\n"
    " AS \"cpu-memory-0\", root: system\r\n"
    " Root memory region: system\r\n"
    "  0000000000000000-00000000000c2fff (prio 0, ram): ram KVM\r\n"
    "  00000000000c3000-00000000000e7fff (prio 0, rom): ram @00000000000c3000 KVM\r\n"
    "  00000000b0000000-00000000bfffffff (prio 0, i/o): pcie-mmcfg-mmio\r\n"
    "  0000000100000000-000000017fffffff (prio 0, ram): ram @0000000080000000\r\n"
    "\r\n"
    "FlatView #4\r\n"
    " AS \"late\", root: x\r\n"
    "  0000000000000000-0000000000000fff (prio 0, ram): late\r\n";

TEST(MemoryTreeTest, TakesTheRangesOfTheAddressSpaceNamedMemory) {
  const auto ranges = ParseMemoryTree(kTree);
  ASSERT_TRUE(ranges) << ranges.error().ToString();
  EXPECT_THAT(*ranges,
              ElementsAre(MemoryTreeRange{Pa(0), 0xc3000, "ram", "ram", 0},
                          MemoryTreeRange{Pa(0xc3000), 0x25000, "rom", "ram", 0xc3000},
                          MemoryTreeRange{Pa(0xb0000000), 0x10000000, "i/o", "pcie-mmcfg-mmio", 0},
                          MemoryTreeRange{Pa(0x100000000), 0x80000000, "ram", "ram", 0x80000000}));
}

TEST(MemoryTreeTest, AnythingElseIsAnErrorOfThePeer) {
  for (const std::string text :
       {"", "no such command", "FlatView #0\n AS \"memory\", root: system\n",
        "FlatView #0\n AS \"memory\", root: system\n  zzz\n",
        "FlatView #0\n AS \"memory\", root: system\n"
        "  0000000000001000-0000000000000fff (prio 0, ram): ram\n",
        "FlatView #0\n AS \"memory\", root: system\n"
        "  0000000000000000-0000000000001fff (prio 0, ram): a\n"
        "  0000000000001000-0000000000002fff (prio 0, ram): b\n"}) {
    const auto ranges = ParseMemoryTree(text);
    ASSERT_FALSE(ranges) << text;
    EXPECT_EQ(ranges.error().code(), ErrorCode::kPeer);
  }
}

}  // namespace
}  // namespace ktstr
