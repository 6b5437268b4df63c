// How fast archives are written, opened, read and verified. Run it on a Release build.
//
// PageMiss, Hit… and Walk… read the archive that the environment variable KTSTR_BENCH_ARCHIVE
// names, where it is set, in place of a guest that is made up.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <vector>

#include "fixtures/sample/temporary_directory.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/writer.h"
#include "replay/snapshot_memory.h"

namespace ktstr {
namespace {

constexpr uint64_t kGuestPages = uint64_t{256} * 256;  // 256 MiB

// RAM in one piece, as a live guest's is, filled with what kernels are made of: pointers, small
// numbers, text and zeros. It compresses about as binaries do.
class FlatMemory : public GuestMemory {
 public:
  explicit FlatMemory(uint64_t pages) : region_{Pfn(0), Pfn(pages)}, bytes_(pages * kPageSize) {
    std::mt19937_64 random(1);
    for (uint64_t page = 0; page < pages; ++page) {
      const uint64_t kind = random() % 10;
      std::byte* const at = bytes_.data() + page * kPageSize;
      if (kind < 2) continue;  // zero
      if (kind < 4 && page > 100) {
        std::memcpy(at, bytes_.data() + (page - 1 - random() % 100) * kPageSize, kPageSize);
      } else {
        FillPage(at, random);
      }
    }
  }

  std::span<const MemoryRegion> regions() const override { return {&region_, 1}; }
  PageView View(Pfn pfn) const override {
    return PageView::Present(bytes_.data() + pfn.value() * kPageSize);
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "benchmark"); }

 private:
  static void FillPage(std::byte* at, std::mt19937_64& random) {
    for (uint64_t i = 0; i < kPageSize / 8; ++i) {
      const uint64_t bits = random();
      uint64_t word = 0;
      if (bits % 8 < 3) word = 0xffff888000000000 | (bits >> 36);
      if (bits % 8 == 3) word = bits >> 58;
      if (bits % 8 == 4) word = bits;
      std::memcpy(at + i * 8, &word, sizeof(word));
    }
  }

  const MemoryRegion region_;
  std::vector<std::byte> bytes_;
};

// Every other page is zero, the others are distinct and made when they are looked at: as many runs
// as one likes for little.
class StripedMemory : public GuestMemory {
 public:
  explicit StripedMemory(uint64_t pages) : region_{Pfn(0), Pfn(pages)} {}
  std::span<const MemoryRegion> regions() const override { return {&region_, 1}; }
  PageView View(Pfn pfn) const override {
    if (pfn.value() % 2 == 1) return PageView::Zero();
    auto page = std::make_shared<std::byte[]>(kPageSize);
    std::memcpy(page.get(), &pfn, sizeof(pfn));
    page[100] = std::byte(1);
    const std::byte* const data = page.get();
    return PageView::Present(data, std::move(page));
  }
  Result<std::byte*> Writable(Pfn) override { return Fail(ErrorCode::kReadOnly, "benchmark"); }

 private:
  const MemoryRegion region_;
};

const FlatMemory& Guest() {
  static const FlatMemory memory(kGuestPages);
  return memory;
}

std::filesystem::path WriteTo(const std::filesystem::path& path, const GuestMemory& memory,
                              uint32_t pages_per_frame, benchmark::State& state) {
  ArchiveWriteOptions options;
  options.overwrite = true;
  options.pages_per_frame = pages_per_frame;
  const auto summary = WriteArchive(path, {memory}, options);
  if (!summary) {
    state.SkipWithError(summary.error().ToString().c_str());
  } else {
    state.counters["file_MB"] = static_cast<double>(summary->file_size) / 1e6;
  }
  return path;
}

synthetic::TemporaryDirectory& Directory() {
  static synthetic::TemporaryDirectory directory;
  return directory;
}

// The guest's archive with so many pages in a frame; written once.
std::shared_ptr<const ArchiveReader> Archive(uint32_t pages_per_frame, benchmark::State& state) {
  const auto path = Directory() / ("guest" + std::to_string(pages_per_frame) + ".kts");
  if (!std::filesystem::exists(path)) WriteTo(path, Guest(), pages_per_frame, state);
  return ArchiveReader::Open(path).value();
}

void WriteGuest(benchmark::State& state) {
  const GuestMemory& memory = Guest();
  const auto pages_per_frame = static_cast<uint32_t>(state.range(0));
  for (auto _ : state) WriteTo(Directory() / "written.kts", memory, pages_per_frame, state);
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * kGuestPages * kPageSize));
}
BENCHMARK(WriteGuest)
    ->ArgName("pages_per_frame")
    ->Arg(4)
    ->Arg(8)
    ->Arg(16)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

void OpenArchive(benchmark::State& state) {
  const auto path = Archive(8, state)->path();
  for (auto _ : state) benchmark::DoNotOptimize(ArchiveReader::Open(path));
}
BENCHMARK(OpenArchive)->Unit(benchmark::kMicrosecond);

// As many runs (1 M) and memory frames (512 K) as a guest of 16 GiB may have.
void OpenLargeArchive(benchmark::State& state) {
  const auto path = Directory() / "large.kts";
  if (!std::filesystem::exists(path)) WriteTo(path, StripedMemory(1 << 20), 1, state);
  for (auto _ : state) benchmark::DoNotOptimize(ArchiveReader::Open(path));
}
BENCHMARK(OpenLargeArchive)->Unit(benchmark::kMillisecond);

// Frame numbers in an order that no cache guesses.
std::vector<Pfn> ShuffledPresentPages(const ArchiveReader& archive, uint64_t pages) {
  std::vector<Pfn> pfns;
  std::mt19937_64 random(2);
  while (pfns.size() < pages) {
    const Pfn pfn(random() % kGuestPages);
    if (archive.Lookup(pfn).fate == PageFate::kPresent) pfns.push_back(pfn);
  }
  return pfns;
}

void LookupPage(benchmark::State& state) {
  const auto archive = Archive(8, state);
  const auto pfns = ShuffledPresentPages(*archive, 4096);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(archive->Lookup(pfns[i++ % pfns.size()]));
}
BENCHMARK(LookupPage);

// The pages of a walk: some hundred, again and again.
void ViewWarm(benchmark::State& state) {
  static std::unique_ptr<SnapshotMemory> snapshot;
  const auto archive = Archive(8, state);
  if (state.thread_index() == 0) snapshot = std::make_unique<SnapshotMemory>(archive);
  const auto pfns = ShuffledPresentPages(*archive, 512);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot->View(pfns[i++ % pfns.size()]));
}
BENCHMARK(ViewWarm)->Threads(1)->Threads(2);

// One and the same page: what a view costs at the least.
void ViewSamePage(benchmark::State& state) {
  const auto archive = Archive(8, state);
  const SnapshotMemory snapshot(archive);
  const Pfn pfn = ShuffledPresentPages(*archive, 1).front();
  for (auto _ : state) benchmark::DoNotOptimize(snapshot.View(pfn));
}
BENCHMARK(ViewSamePage);

void ViewWritten(benchmark::State& state) {
  SnapshotMemory snapshot(Archive(8, state));
  const auto pfns = ShuffledPresentPages(snapshot.archive(), 512);
  for (const Pfn pfn : pfns) (void)snapshot.Writable(pfn);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot.View(pfns[i++ % pfns.size()]));
}
BENCHMARK(ViewWritten);

// Every look is a miss: one frame read and decompressed.
void ViewCold(benchmark::State& state) {
  const auto archive = Archive(static_cast<uint32_t>(state.range(0)), state);
  const SnapshotMemory snapshot(archive, {.cache_bytes = 1});
  const auto pfns = ShuffledPresentPages(*archive, 4096);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot.View(pfns[i++ % pfns.size()]));
}
BENCHMARK(ViewCold)
    ->ArgName("pages_per_frame")
    ->Arg(4)
    ->Arg(8)
    ->Arg(16)
    ->Unit(benchmark::kMicrosecond);

// A real archive where one is named.
std::shared_ptr<const ArchiveReader> AnyArchive(benchmark::State& state) {
  const char* const path = std::getenv("KTSTR_BENCH_ARCHIVE");
  if (path == nullptr) return Archive(8, state);
  static const std::shared_ptr<const ArchiveReader> archive = ArchiveReader::Open(path).value();
  return archive;
}

// One page of each memory frame, the frames in order.
std::vector<Pfn> OnePageOfEachFrame(const ArchiveReader& archive) {
  std::vector<Pfn> pfns(archive.frame_count());
  for (const MemoryRegion& region : archive.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageRecord record = archive.Lookup(pfn);
      if (record.fate != PageFate::kPresent || record.duplicate) continue;
      pfns[record.stored_page / archive.pages_per_frame()] = pfn;
    }
  }
  return pfns;
}

// What one page of a frame that is not cached costs, one by one.
void PageMiss(benchmark::State& state) {
  using std::chrono::steady_clock;
  const auto archive = AnyArchive(state);
  const SnapshotMemory snapshot(archive, {.cache_bytes = 1});
  std::vector<Pfn> pfns = OnePageOfEachFrame(*archive);
  std::shuffle(pfns.begin(), pfns.end(), std::mt19937_64(3));
  std::vector<double> taken;
  size_t i = 0;
  for (auto _ : state) {
    const auto begin = steady_clock::now();
    benchmark::DoNotOptimize(snapshot.View(pfns[i++ % pfns.size()]));
    taken.push_back(std::chrono::duration<double, std::micro>(steady_clock::now() - begin).count());
  }
  std::ranges::sort(taken);
  state.counters["p50_us"] = taken[taken.size() / 2];
  state.counters["p99_us"] = taken[taken.size() * 99 / 100];
}
BENCHMARK(PageMiss)->Unit(benchmark::kMicrosecond);

// Every thread looks at pages of its own, all of them in the cache, one of each frame; with `same`
// at those of the others.
void HitPages(benchmark::State& state) {
  static std::unique_ptr<SnapshotMemory> snapshot;
  constexpr size_t kPages = 512;
  const auto archive = AnyArchive(state);
  const std::vector<Pfn> pfns = OnePageOfEachFrame(*archive);
  if (state.thread_index() == 0) snapshot = std::make_unique<SnapshotMemory>(archive);
  const size_t first = state.range(0) != 0 ? 0 : size_t(state.thread_index()) * kPages;
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot->View(pfns[first + i++ % kPages]));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(HitPages)->ArgName("same")->Arg(0)->Arg(1)->Threads(1)->Threads(2)->UseRealTime();

// Every thread walks its part of all frames through a cache of 8 MiB: each step is a miss.
void WalkParts(benchmark::State& state) {
  static std::unique_ptr<SnapshotMemory> snapshot;
  const auto archive = AnyArchive(state);
  const std::vector<Pfn> pfns = OnePageOfEachFrame(*archive);
  const auto memory = SnapshotMemoryOptions{.cache_bytes = 8 << 20};
  if (state.thread_index() == 0) snapshot = std::make_unique<SnapshotMemory>(archive, memory);
  const size_t part = pfns.size() / size_t(state.threads());
  const size_t first = size_t(state.thread_index()) * part;
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot->View(pfns[first + i++ % part]));
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(WalkParts)->Threads(1)->Threads(2)->Unit(benchmark::kMicrosecond)->UseRealTime();

// All threads walk the same frames at the same time.
void WalkTogether(benchmark::State& state) {
  static std::unique_ptr<SnapshotMemory> snapshot;
  const auto archive = AnyArchive(state);
  const std::vector<Pfn> pfns = OnePageOfEachFrame(*archive);
  const auto memory = SnapshotMemoryOptions{.cache_bytes = 8 << 20};
  if (state.thread_index() == 0) snapshot = std::make_unique<SnapshotMemory>(archive, memory);
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(snapshot->View(pfns[i++ % pfns.size()]));
  if (state.thread_index() == 0) {
    state.counters["reads_per_page"] = static_cast<double>(snapshot->cache_statistics().reads) /
                                       (static_cast<double>(state.iterations()) * state.threads());
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations()));
}
BENCHMARK(WalkTogether)->Threads(1)->Threads(2)->Unit(benchmark::kMicrosecond)->UseRealTime();

void Verify(benchmark::State& state) {
  const auto archive = Archive(8, state);
  for (auto _ : state) benchmark::DoNotOptimize(archive->FindDamagedFrames());
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * archive->file_size()));
}
BENCHMARK(Verify)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace ktstr
