// Many threads on one snapshot. To be run under -DKTSTR_SANITIZE=thread, too.
#include <atomic>
#include <functional>
#include <random>
#include <thread>

#include "replay/snapshot_memory.h"
#include "snapshots.h"

namespace ktstr {
namespace {

using synthetic::BufferMemory;
using synthetic::SamePage;

class ConcurrencyTest : public ArchivedGuestTest {
 protected:
  static void InThreads(int count, const std::function<void(int)>& work) {
    std::vector<std::jthread> threads;
    for (int i = 0; i < count; ++i) threads.emplace_back(work, i);
  }
};

TEST_F(ConcurrencyTest, ReadersThroughATinyCacheAllReadRight) {
  const BufferMemory memory = synthetic::MakeRandomMemory(2000, 11);
  const auto archive = Archive(memory);
  for (const uint64_t frames : {1, 3, 40}) {
    const SnapshotMemory snapshot(archive, {.cache_bytes = frames * 8 * kPageSize});
    std::atomic<int> wrong = 0;
    InThreads(4, [&](int thread) {
      std::mt19937_64 random(static_cast<uint64_t>(thread));
      for (int i = 0; i < 3000; ++i) {
        const Pfn pfn(random() % 2000);
        if (!SamePage(snapshot.View(pfn), memory.View(pfn))) ++wrong;
      }
    });
    EXPECT_EQ(wrong, 0);
    const auto statistics = snapshot.cache_statistics();
    EXPECT_LE(statistics.resident_frames, statistics.capacity_frames);
  }
}

TEST_F(ConcurrencyTest, ThreadsThatMissTheSameFramesReadEachOnce) {
  const BufferMemory memory = DistinctPages(1600);
  const SnapshotMemory snapshot(Archive(memory));
  InThreads(4, [&](int) {
    for (uint64_t i = 0; i < 1600; ++i) (void)snapshot.View(Pfn(i));
  });
  EXPECT_EQ(snapshot.cache_statistics().reads, 200u);
}

TEST_F(ConcurrencyTest, WalksThatAreReadAheadDoNotDisturbEachOther) {
  const BufferMemory memory = DistinctPages(8 * 400);
  const SnapshotMemory snapshot(
      Archive(memory), {.cache_bytes = 128 * 8 * kPageSize, .ahead = FrameCache::Ahead::kInOrder});
  std::atomic<int> wrong = 0;
  InThreads(4, [&](int thread) {
    for (uint64_t i = 0; i < 3200; ++i) {
      const Pfn pfn((i + static_cast<uint64_t>(thread) * 800) % 3200);
      if (!SamePage(snapshot.View(pfn), memory.View(pfn))) ++wrong;
    }
  });
  EXPECT_EQ(wrong, 0);
}

TEST_F(ConcurrencyTest, WritersOfSomePagesDoNotDisturbReadersOfOthers) {
  const BufferMemory memory = DistinctPages(1600);
  SnapshotMemory snapshot(Archive(memory), {.cache_bytes = 32 * kPageSize});
  std::atomic<int> wrong = 0;
  InThreads(4, [&](int thread) {
    for (uint64_t i = static_cast<uint64_t>(thread); i < 1600; i += 4) {
      const Pfn pfn(i);
      if (thread % 2 == 0) {
        const auto page = snapshot.Writable(pfn);
        if (page) (*page)[0] = std::byte(1);
      } else if (!SamePage(snapshot.View(pfn), memory.View(pfn))) {
        ++wrong;
      }
    }
  });
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(snapshot.WrittenPages().size(), 800u);
}

TEST_F(ConcurrencyTest, ThreadsThatMakeTheSamePageWritableGetTheSamePage) {
  SnapshotMemory snapshot(Archive(DistinctPages(400)));
  std::vector<std::vector<std::byte*>> pages(4);
  InThreads(4, [&](int thread) {
    for (uint64_t i = 0; i < 400; ++i) pages[thread].push_back(snapshot.Writable(Pfn(i)).value());
  });
  for (const auto& of_thread : pages) EXPECT_EQ(of_thread, pages[0]);
}

}  // namespace
}  // namespace ktstr
