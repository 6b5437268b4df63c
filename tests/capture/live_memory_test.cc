#include "capture/live_memory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "capture/qemu/process_info.h"
#include "capture/system/memory_file.h"

namespace ktstr {
namespace {

using testing::ElementsAre;

// A RAM file of 64 pages, all of it a hole, seen as guest memory with a hole of its own: frames 0
// to 31 and 256 to 287.
struct SplitMachine {
  SplitMachine() {
    RamMap map;
    map.files.push_back(*MakeMemoryFile("ram"));
    fd = dup(map.files[0].get());
    std::ignore = ftruncate(fd, 64 * kPageSize);
    map.pieces = {{Pfn(0), 32, 0, 0}, {Pfn(256), 32, 0, 32 * kPageSize}};
    memory = std::move(*LiveMemory::Map(std::move(map)));
  }
  ~SplitMachine() { close(fd); }
  void Put(uint64_t offset, char value) { std::ignore = pwrite(fd, &value, 1, offset); }
  uint64_t blocks() const {
    struct stat info = {};
    fstat(fd, &info);
    return info.st_blocks;
  }

  int fd;
  std::unique_ptr<LiveMemory> memory;
};

TEST(LiveMemoryTest, AddressesAboveTheHoleLieWhereTheMapSays) {
  SplitMachine machine;
  machine.Put(32 * kPageSize + 5, 'x');
  EXPECT_EQ(machine.memory->ReadScalar<char>(Pa(0x100005)), 'x');
  EXPECT_EQ(machine.memory->View(Pfn(32)).fate(), PageFate::kOutside);
  EXPECT_EQ(machine.memory->View(Pfn(288)).fate(), PageFate::kOutside);
  EXPECT_THAT(machine.memory->regions(),
              ElementsAre(MemoryRegion{Pfn(0), Pfn(32)}, MemoryRegion{Pfn(256), Pfn(288)}));
}

TEST(LiveMemoryTest, ABreakpointIsHiddenUntilTheGuestWritesThere) {
  SplitMachine machine;
  machine.Put(33 * kPageSize + 7, '\xcc');
  machine.Put(33 * kPageSize + 9, '\xcc');  // the guest's own
  const Pa at(0x101007);
  machine.memory->Hide({{at, std::byte('U')}});
  EXPECT_EQ(machine.memory->ReadScalar<char>(at), 'U');
  EXPECT_EQ(machine.memory->ReadScalar<char>(at + 2), '\xcc');
  EXPECT_TRUE(machine.memory->Holds(at, kBreakpointInstruction));
  // A view outlives the memory's next one.
  const PageView before = machine.memory->View(Pfn::Of(at));
  machine.Put(33 * kPageSize + 7, 'x');
  EXPECT_EQ(machine.memory->ReadScalar<char>(at), 'x');
  EXPECT_EQ(before.data()[7], std::byte('U'));
  EXPECT_FALSE(machine.memory->Holds(at, kBreakpointInstruction));
  EXPECT_FALSE(machine.memory->Holds(Pa(0x90000), kBreakpointInstruction));  // outside
}

TEST(LiveMemoryTest, NextTouchedSkipsHolesWithoutFillingThem) {
  SplitMachine machine;
  machine.Put(7 * kPageSize, 'a');
  machine.Put(40 * kPageSize, 'b');
  const uint64_t before = machine.blocks();
  EXPECT_EQ(machine.memory->NextTouched(Pfn(0)), Pfn(7));
  EXPECT_EQ(machine.memory->NextTouched(Pfn(7)), Pfn(7));
  // What is touched beyond the region does not count.
  EXPECT_EQ(machine.memory->NextTouched(Pfn(8)), Pfn(32));
  EXPECT_EQ(machine.memory->NextTouched(Pfn(256)), Pfn(264));
  EXPECT_EQ(machine.memory->NextTouched(Pfn(265)), Pfn(288));
  EXPECT_EQ(machine.blocks(), before);
}

TEST(LiveMemoryTest, WhatTheGuestHasTouchedIsCounted) {
  SplitMachine machine;
  EXPECT_EQ(machine.memory->MostTouched(), 0u);
  machine.Put(7 * kPageSize, 'a');
  machine.Put(40 * kPageSize, 'b');
  EXPECT_EQ(machine.memory->MostTouched(), 2u);
}

TEST(LiveMemoryTest, WritesReachTheFile) {
  SplitMachine machine;
  const uint64_t value = 0x1122334455667788;
  ASSERT_TRUE(machine.memory->Write(Pa(0x100ff8), std::as_bytes(std::span(&value, 1))));
  uint64_t read = 0;
  ASSERT_EQ(pread(machine.fd, &read, sizeof read, 32 * kPageSize + 0xff8), 8);
  EXPECT_EQ(read, value);
  EXPECT_EQ(machine.memory->Writable(Pfn(32)).error().code(), ErrorCode::kOutOfRange);
}

TEST(LiveMemoryTest, AFileTooShortForItsMapIsRefused) {
  RamMap map;
  map.files.push_back(*MakeMemoryFile("ram"));
  map.pieces = {{Pfn(0), 1, 0, 0}};
  const auto memory = LiveMemory::Map(std::move(map));
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().code(), ErrorCode::kInvalidArgument);
}

TEST(RamMapTest, PiecesThatGoOnInGuestAndFileAreJoined) {
  // RAM, shadowed firmware, RAM; then the part above 4 GiB; then another file.
  EXPECT_THAT(JoinPieces({{Pfn(0), 0xc3, 0, 0},
                          {Pfn(0xc3), 0x25, 0, 0xc3000},
                          {Pfn(0xe8), 0x18, 0, 0xe8000},
                          {Pfn(0x100000), 16, 0, 0x100000},
                          {Pfn(0x100010), 16, 1, 0}}),
              ElementsAre(RamPiece{Pfn(0), 0x100, 0, 0}, RamPiece{Pfn(0x100000), 16, 0, 0x100000},
                          RamPiece{Pfn(0x100010), 16, 1, 0}));
}

TEST(ProcessInfoTest, ReadsMappingsIncludingDeletedFilesAndSpaces) {
  const auto mappings = ParseMappings(
      "7f0000000000-7f0020000000 rw-s 00001000 00:01 1234                   "
      "/memfd:memory-backend-memfd (deleted)\n"
      "nonsense\n"
      "7f1000000000-7f1000001000 r--p 00000000 00:00 0 \n");
  ASSERT_EQ(mappings.size(), 2u);
  EXPECT_EQ(mappings[0].begin, 0x7f0000000000u);
  EXPECT_EQ(mappings[0].end, 0x7f0020000000u);
  EXPECT_TRUE(mappings[0].shared);
  EXPECT_EQ(mappings[0].offset, 0x1000u);
  EXPECT_EQ(mappings[0].inode, 1234u);
  EXPECT_EQ(mappings[0].path, "/memfd:memory-backend-memfd (deleted)");
  EXPECT_FALSE(mappings[1].shared);
  EXPECT_EQ(mappings[1].inode, 0u);
}

TEST(ProcessInfoTest, ReadsACommandLineArgumentByArgument) {
  const auto arguments = ReadCommandLine(getpid());
  ASSERT_TRUE(arguments);
  EXPECT_THAT((*arguments)[0], testing::HasSubstr("capture_test"));
  EXPECT_FALSE(ReadCommandLine(-1));
}

}  // namespace
}  // namespace ktstr
