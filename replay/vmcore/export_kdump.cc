#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <future>
#include <utility>

#include "libcore/archive/worker_pool.h"
#include "replay/vmcore/export_plan.h"
#include "replay/vmcore/kdump_format.h"
#include "replay/vmcore/page_compressor.h"

namespace ktstr::vmcore {

namespace {

constexpr int32_t kVersion = 6;
constexpr uint64_t kNotesAt = kPageSize + sizeof(KdumpSubHeader);
// Pages that one task compresses, and how many descriptors are written at once.
constexpr size_t kTaskPages = 256, kDescriptorsAtOnce = 4096;

constexpr uint64_t BlocksOf(uint64_t bytes) { return (bytes + kPageSize - 1) / kPageSize; }

// What of the machine's memory is not in the dump, as makedumpfile would have been told it.
int32_t LevelOf(const ExportPlan& plan) {
  constexpr int32_t kCache = 2 | 4, kUser = 8, kFree = 16;
  int32_t level = 0;
  for (const AbsentPages& run : plan.own.absent) {
    if (run.reason == LeftOutReason::kPageCache) level |= kCache;
    if (run.reason == LeftOutReason::kUserData) level |= kUser;
    if (run.reason == LeftOutReason::kFree) level |= kFree;
  }
  return level;
}

// A bitmap with these runs of pages, as many whole blocks as `blocks`.
std::vector<std::byte> Bitmap(const std::vector<MemoryRegion>& runs, uint64_t blocks) {
  std::vector<std::byte> bits(blocks * kPageSize);
  for (const MemoryRegion& run : runs) {
    for (uint64_t pfn = run.begin.value(); pfn < run.end.value();) {
      if (pfn % 8 == 0 && run.end.value() - pfn >= 8) {
        bits[pfn / 8] = std::byte{0xff};
        pfn += 8;
      } else {
        bits[pfn / 8] |= std::byte{1} << (pfn % 8);
        ++pfn;
      }
    }
  }
  return bits;
}

// Puts pages in order; their compression runs ahead of it.
class KdumpWriter {
 public:
  KdumpWriter(const FrozenMachine& machine, const ExportPlan& plan, ExportTarget& target,
              const ExportOptions& options)
      : machine_(machine),
        plan_(plan),
        target_(target),
        options_(options),
        progress_(plan, options),
        pool_(options.threads) {}

  Result<uint64_t> WriteAll() {
    KTSTR_TRY(WriteHeaders());
    for (const ExportPlan::Run& run : plan_.runs) {
      for (Pfn pfn = run.pages.begin; pfn < run.pages.end; pfn = pfn + 1) {
        KTSTR_TRY(run.zero ? AddZero() : AddPresent(pfn));
      }
    }
    KTSTR_TRY(StartTask());
    while (!tasks_.empty()) KTSTR_TRY(FinishTask());
    KTSTR_TRY(FlushDescriptors());
    return data_at_;
  }

 private:
  // Where the bytes of a stored page are, for others that are equal to it.
  struct Place {
    uint64_t offset = 0;
    uint32_t size = 0, flags = 0;
  };
  // Pages in order. Those that are to be compressed are in `compressed`, one after the other.
  struct Task {
    struct Entry {
      // Others are the same as a compressed page, and none as one that stands alone.
      enum Kind : uint8_t { kZero, kCompressed, kAlone, kSame } kind;
      uint64_t stored_page = 0;
    };
    std::vector<Entry> entries;
    std::future<Result<CompressedPages>> compressed;
  };

  Status WriteHeaders();

  Status AddZero() {
    next_.entries.push_back({Task::Entry::kZero});
    return StartFullTask();
  }
  Status AddPresent(Pfn pfn) {
    const PageRecord record = machine_.archive().Lookup(pfn);
    auto kind = record.duplicate ? Task::Entry::kSame : Task::Entry::kCompressed;
    if (record.relocation) kind = Task::Entry::kAlone;
    next_.entries.push_back({kind, record.stored_page});
    if (kind != Task::Entry::kSame) next_pages_.push_back(pfn);
    return StartFullTask();
  }
  Status StartFullTask() {
    constexpr size_t kMostEntries = 16 * kTaskPages;
    const bool full = next_pages_.size() >= kTaskPages || next_.entries.size() >= kMostEntries;
    return full ? StartTask() : Status();
  }
  Status StartTask() {
    next_.compressed = pool_.Run([this, pages = std::exchange(next_pages_, {})] {
      return CompressPages(machine_, pages, options_.compression);
    });
    tasks_.push_back(std::exchange(next_, {}));
    if (tasks_.size() > static_cast<size_t>(pool_.threads()) + 1) return FinishTask();
    return {};
  }

  Status FinishTask() {
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    const CompressedPages compressed = KTSTR_TRY(task.compressed.get());
    size_t next = 0;
    uint64_t at = data_at_;
    for (const Task::Entry& entry : task.entries) {
      Place place = zero_;
      if (entry.kind == Task::Entry::kSame) place = places_[entry.stored_page];
      if (entry.kind == Task::Entry::kCompressed || entry.kind == Task::Entry::kAlone) {
        const CompressedPages::Page& page = compressed.pages[next++];
        place = {at, page.size, page.flags};
        at += page.size;
        if (entry.kind == Task::Entry::kCompressed) places_[entry.stored_page] = place;
      }
      descriptors_.push_back({place.offset, place.size, place.flags, 0});
    }
    KTSTR_TRY(target_.Put(data_at_, compressed.bytes));
    data_at_ = at;
    if (descriptors_.size() >= kDescriptorsAtOnce) KTSTR_TRY(FlushDescriptors());
    return progress_.Add(task.entries.size());
  }

  Status FlushDescriptors() {
    KTSTR_TRY(target_.Put(descriptors_at_, std::as_bytes(std::span(descriptors_))));
    descriptors_at_ += descriptors_.size() * sizeof(KdumpPage);
    descriptors_.clear();
    return {};
  }

  const FrozenMachine& machine_;
  const ExportPlan& plan_;
  ExportTarget& target_;
  const ExportOptions& options_;
  ExportProgress progress_;
  uint64_t descriptors_at_ = 0, data_at_ = 0;
  Place zero_;
  std::vector<Place> places_;  // by stored page
  std::vector<KdumpPage> descriptors_;
  Task next_;
  std::vector<Pfn> next_pages_;
  std::deque<Task> tasks_;
  // Last: its threads end before anything that they use is gone.
  archive::WorkerPool pool_;
};

void SetName(char (&field)[65], const std::string& name) {
  std::memcpy(field, name.data(), std::min(name.size(), sizeof field - 1));
}

Status KdumpWriter::WriteHeaders() {
  std::vector<std::byte> notes = KTSTR_TRY(MakeCoreNotes(plan_.own, plan_.vmcoreinfo));
  const std::vector<MemoryRegion>& regions = plan_.own.regions;
  const uint64_t max_mapnr = regions.empty() ? 0 : regions.back().end.value();
  const uint64_t bitmap_blocks = BlocksOf((max_mapnr + 7) / 8);
  const bool zstd = options_.compression == PageCompression::kZstd;
  const ArchiveMetadata& metadata = plan_.own.metadata;

  KdumpHeader header = {};
  std::memcpy(header.signature, kKdumpSignature.data(), sizeof header.signature);
  header.version = kVersion;
  SetName(header.utsname[0], "Linux");
  SetName(header.utsname[2], metadata.kernel_release);
  SetName(header.utsname[4], "x86_64");
  static_assert(sizeof header.utsname == kUtsnameSize);
  if (plan_.utsname) std::memcpy(header.utsname, plan_.utsname->data(), kUtsnameSize);
  header.seconds = metadata.captured_at_ns / 1'000'000'000;
  header.status = zstd ? kKdumpZstd : kKdumpZlib;
  header.block_size = kPageSize;
  header.bitmap_blocks = static_cast<uint32_t>(2 * bitmap_blocks);
  header.max_mapnr = static_cast<uint32_t>(std::min<uint64_t>(max_mapnr, ~uint32_t{0}));
  header.nr_cpus = static_cast<int32_t>(plan_.own.vcpus.size());

  KdumpSubHeader sub = {};
  sub.phys_base = plan_.phys_base;
  sub.dump_level = LevelOf(plan_);
  sub.max_mapnr_64 = max_mapnr;
  sub.offset_note = kNotesAt;
  sub.size_note = notes.size();
  // Once more behind the notes, where readers of version 3 look for it.
  sub.offset_vmcoreinfo = kNotesAt + notes.size();
  sub.size_vmcoreinfo = plan_.vmcoreinfo.size();
  const auto text = std::as_bytes(std::span(plan_.vmcoreinfo));
  notes.insert(notes.end(), text.begin(), text.end());
  const uint64_t sub_blocks = BlocksOf(sizeof sub + notes.size());
  header.sub_header_blocks = static_cast<int32_t>(sub_blocks);

  const uint64_t bitmaps_at = (1 + sub_blocks) * kPageSize;
  KTSTR_TRY(target_.Put(0, std::as_bytes(std::span(&header, 1))));
  KTSTR_TRY(target_.Put(kPageSize, std::as_bytes(std::span(&sub, 1))));
  KTSTR_TRY(target_.Put(kNotesAt, notes));
  KTSTR_TRY(target_.Put(bitmaps_at, Bitmap(regions, bitmap_blocks)));
  KTSTR_TRY(
      target_.Put(bitmaps_at + bitmap_blocks * kPageSize, Bitmap(plan_.Segments(), bitmap_blocks)));
  descriptors_at_ = bitmaps_at + 2 * bitmap_blocks * kPageSize;
  // All zero pages share one.
  const std::array<std::byte, kPageSize> zeros = {};
  zero_ = {descriptors_at_ + (plan_.present_pages + plan_.zero_pages) * sizeof(KdumpPage),
           static_cast<uint32_t>(kPageSize), 0};
  KTSTR_TRY(target_.Put(zero_.offset, zeros));
  data_at_ = zero_.offset + zeros.size();
  uint64_t stored = 0;
  for (const PageCount& count : machine_.archive().CountPages()) {
    if (count.fate == PageFate::kPresent && !count.duplicate) stored += count.pages;
  }
  places_.resize(stored);
  return {};
}

}  // namespace

Result<uint64_t> WriteKdump(const FrozenMachine& machine, const ExportPlan& plan,
                            ExportTarget& target, const ExportOptions& options) {
  return KdumpWriter(machine, plan, target, options).WriteAll();
}

}  // namespace ktstr::vmcore
