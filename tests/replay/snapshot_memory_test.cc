#include "ktstr/replay/snapshot_memory.h"

#include <gtest/gtest.h>
#include <fmt/format.h>
#include <unistd.h>

#include "ktstr/archive/writer.h"
#include "ktstr/synthetic/buffer_memory.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;

TEST(SnapshotMemoryTest, RoundTrip) {
  BufferMemory memory({{Pfn(0), Pfn(0x100)}, {Pfn(0x1000), Pfn(0x1100)}});
  for (uint64_t i = 0; i < 40; ++i) memory.Put<uint64_t>(Pfn(i * 2).pa() + 8, 1 + i / 2);
  memory.LeaveOut(Pfn(0x1001), LeftOutReason::kUserData);
  memory.Damage(Pfn(0x1002));
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / fmt::format("x{}.kts", getpid());
  ArchiveContents contents{memory};
  auto summary = WriteArchive(path, contents, {});
  ASSERT_TRUE(summary) << summary.error().ToString();
  auto reader = ArchiveReader::Open(path);
  ASSERT_TRUE(reader) << reader.error().ToString();
  EXPECT_EQ((*reader)->digest(), summary->digest);
  SnapshotMemory snapshot(std::move(*reader));
  for (const MemoryRegion& r : memory.regions()) {
    for (Pfn p = r.begin; p < r.end; p = p + 1) {
      const PageView a = memory.View(p), b = snapshot.View(p);
      if (a.readable()) {
        ASSERT_TRUE(b.readable());
        EXPECT_EQ(memcmp(a.data(), b.data(), kPageSize), 0);
      } else {
        EXPECT_EQ(a.fate(), b.fate());
      }
    }
  }
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace ktstr
