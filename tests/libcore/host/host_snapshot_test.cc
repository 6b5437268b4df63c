// Proves: of memory that changes with every look, an archive is written in which each page is what
// it was when it was first looked at, and what has been kept for it is just that.
#include "libcore/host/host_snapshot.h"

#include <gtest/gtest.h>

#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/writer.h"

namespace ktstr {
namespace {

// Each page says its number and how often it was looked at; one in four does not change, and is
// like others.
class RestlessMemory : public GuestMemory {
 public:
  explicit RestlessMemory(uint64_t pages) : regions_{{Pfn(0), Pfn(pages)}}, looks_(pages) {}

  std::span<const MemoryRegion> regions() const override { return regions_; }
  PageView View(Pfn pfn) const override {
    if (pfn >= regions_[0].end) return PageView::Outside();
    auto page = std::make_shared<std::array<uint64_t, kPageSize / 8>>();
    const uint64_t look = ++looks_[pfn.value()];
    if (pfn.value() % 4 == 0) {
      page->fill(1 + pfn.value() % 64);
    } else {
      page->fill(pfn.value() << 32 | look);
    }
    const auto* data = reinterpret_cast<const std::byte*>(page->data());
    return PageView::Present(data, std::move(page));
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "no"); }

  uint64_t looks(Pfn pfn) const { return looks_[pfn.value()]; }

 private:
  std::vector<MemoryRegion> regions_;
  mutable std::vector<std::atomic<uint64_t>> looks_;
};

uint64_t LookOf(const PageView& page) {
  uint64_t value = 0;
  std::memcpy(&value, page.data(), sizeof value);
  return value & 0xffffffff;
}

TEST(HostSnapshotTest, WhatIsKeptStaysAndWhatIsNotDoesNot) {
  RestlessMemory host(64);
  HostSnapshot snapshot(host, 2 * kPageSize, 4 * kPageSize);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 1u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 2u);
  snapshot.BeginKeeping();
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 3u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 3u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(2))), 1u);
  // There is no more room.
  EXPECT_EQ(LookOf(snapshot.View(Pfn(3))), 1u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(3))), 2u);
  auto kept = snapshot.TakeKept();
  EXPECT_EQ(kept.size(), 2u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 4u);
  snapshot.BeginPassing(std::move(kept));
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 3u);
  EXPECT_EQ(snapshot.View(Pfn(64)).fate(), PageFate::kOutside);
}

TEST(HostSnapshotTest, WhatHasPassedIsSeenAgainOnlyAsItWas) {
  RestlessMemory host(64);
  HostSnapshot snapshot(host, 0, 4 * kPageSize);
  snapshot.BeginPassing({});
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 1u);
  EXPECT_EQ(LookOf(snapshot.View(Pfn(1))), 1u);
  EXPECT_TRUE(snapshot.View(Pfn(8)).readable());
  for (uint64_t i = 20; i < 30; ++i) std::ignore = snapshot.View(Pfn(i));
  EXPECT_EQ(snapshot.View(Pfn(1)).fate(), PageFate::kNotCaptured);
  EXPECT_TRUE(snapshot.View(Pfn(8)).readable());
}

TEST(HostSnapshotTest, AnArchiveOfItIsWholeAndOfFirstLooks) {
  constexpr uint64_t kPages = 40'000;
  const synthetic::TemporaryDirectory directory;
  RestlessMemory host(kPages);
  HostSnapshot snapshot(host, uint64_t{16} << 20, uint64_t{96} << 20);
  snapshot.BeginKeeping();
  for (uint64_t i = 0; i < 1000; ++i) std::ignore = snapshot.View(Pfn(i * 7));
  snapshot.BeginPassing(snapshot.TakeKept());
  const ArchiveContents contents = {
      .memory = snapshot, .vcpus = {}, .device_state = {}, .metadata = {}};
  const auto written = WriteArchive(directory / "x.kts", contents, {});
  ASSERT_TRUE(written) << written.error().ToString();
  EXPECT_GT(written->duplicate_pages, kPages / 4 - 100);
  const auto archive = ArchiveReader::Open(directory / "x.kts", ArchiveReader::Damage::kRefuse);
  ASSERT_TRUE(archive) << archive.error().ToString();
  EXPECT_TRUE((*archive)->FindDamagedFrames(1)->empty());
}

}  // namespace
}  // namespace ktstr
