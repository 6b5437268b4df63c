// An archive says most of what it says twice: the sections, the directory and the seek table at the
// end say it all, and the place record behind each memory frame says which pages that frame holds;
// the records of the first frames hold registers, regions and metadata, too. What is asked for is
// taken from the end as long as that is intact, and from the records else.
#include "libcore/archive/salvage.h"

#include <fmt/format.h>

#include <algorithm>

#include "libcore/archive/bytes.h"
#include "libcore/archive/container.h"
#include "libcore/archive/frame_checker.h"
#include "libcore/archive/frame_scan.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/opening.h"
#include "libcore/archive/page_table.h"
#include "libcore/archive/region_map.h"
#include "libcore/archive/salvaged_memory.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"

namespace ktstr {

namespace {

using archive::InputFile;
using archive::IntactFrame;
using archive::KnownRun;
using archive::PlacedRun;
using archive::RunKind;
using archive::SectionType;

// What the file's end says, each part by itself.
struct EndParts {
  std::optional<archive::Container> container;
  std::optional<ArchiveMetadata> metadata;
  std::optional<std::vector<VcpuRegisters>> vcpus;
  std::optional<std::vector<MemoryRegion>> regions;
  std::optional<archive::FrameInfo> frames;
  std::optional<archive::PageTable> page_table;
  std::optional<std::vector<std::byte>> device_state;
};

template <typename T>
std::optional<T> ToOptional(Result<T> result) {
  if (!result) return std::nullopt;
  return *std::move(result);
}

std::optional<archive::SectionPayload> Section(const InputFile& file, const EndParts& end,
                                               SectionType type) {
  const archive::DirectoryEntry* entry = end.container->Find(type);
  if (entry == nullptr) return std::nullopt;
  return ToOptional(ReadSection(file, *entry));
}

EndParts ReadEnd(const InputFile& file) {
  EndParts end;
  end.container = ToOptional(archive::ReadContainerFromEnd(file));
  if (!end.container) return end;
  if (const auto payload = Section(file, end, SectionType::kMetadata)) {
    end.metadata = ToOptional(archive::DecodeMetadata(archive::AsText(payload->bytes())));
  }
  if (const auto payload = Section(file, end, SectionType::kVcpus)) {
    end.vcpus = ToOptional(archive::DecodeVcpus(payload->bytes()));
  }
  if (const auto payload = Section(file, end, SectionType::kRegions)) {
    end.regions = ToOptional(archive::DecodeRegions(payload->bytes()));
  }
  if (const auto payload = Section(file, end, SectionType::kFrames)) {
    end.frames = ToOptional(archive::DecodeFrameInfo(payload->bytes(), *end.container));
  }
  const auto page_table = Section(file, end, SectionType::kPageTable);
  if (page_table && end.regions) {
    const archive::Container& container = *end.container;
    uint64_t stored = 0;
    for (uint64_t i = 0; i < container.frame_count(); ++i) {
      stored += container.DecompressedBytes(i) / kPageSize;
    }
    end.page_table = ToOptional(archive::PageTable::Decode(
        page_table->bytes(), RegionMap(*end.regions).page_count(), stored));
  }
  if (end.container->Find(SectionType::kDeviceState) == nullptr) {
    end.device_state.emplace();
  } else if (const auto payload = Section(file, end, SectionType::kDeviceState)) {
    end.device_state.emplace(payload->bytes().begin(), payload->bytes().end());
  }
  return end;
}

// The page table as runs of page frames: no run leads from one region into the next.
std::vector<KnownRun> RunsOf(const archive::PageTable& table, const RegionMap& regions) {
  std::vector<KnownRun> known;
  for (size_t i = 0; i < table.runs().size(); ++i) {
    const archive::PageRun& run = table.runs()[i];
    uint64_t index = run.first;
    while (index < table.EndOf(i)) {
      const Pfn first = regions.PfnAt(index);
      const uint64_t pages =
          std::min<uint64_t>(table.EndOf(i) - index, regions.Find(first)->end - first);
      PlacedRun placed = {first, pages, run.kind, static_cast<uint64_t>(run.reason)};
      if (run.kind == RunKind::kRelocated) placed.relocation = table.RelocationOf(run, index);
      known.push_back({placed, archive::PageTable::StoredPageOf(run, index)});
      index += pages;
    }
  }
  return known;
}

// The frames that the seek table leads to and that are intact.
Result<std::vector<IntactFrame>> FramesOf(const InputFile& file, const EndParts& end) {
  const archive::Container& container = *end.container;
  const std::vector<uint64_t> damaged =
      KTSTR_TRY(DamagedFrames(file, container, end.frames ? &*end.frames : nullptr));
  std::vector<IntactFrame> intact;
  const uint64_t pages_per_frame = container.frame_bytes / kPageSize;
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    if (std::ranges::binary_search(damaged, i)) continue;
    intact.push_back({i * pages_per_frame, container.frame_offsets[i],
                      static_cast<uint32_t>(container.CompressedBytes(i)),
                      static_cast<uint32_t>(container.DecompressedBytes(i) / kPageSize)});
  }
  return intact;
}

// What the place records say.
struct Records {
  std::vector<KnownRun> runs;
  std::vector<IntactFrame> frames;
  std::optional<archive::Opening> opening;
};

void AddRuns(const archive::PlaceRecord& record, std::vector<KnownRun>& runs) {
  uint64_t stored = record.first_stored;
  for (const archive::PlacedRun& run : record.runs) {
    runs.push_back({run, run.kind == RunKind::kStored ? stored : run.argument});
    if (run.kind == RunKind::kStored) stored += run.pages;
  }
}

Result<Records> ReadRecords(const InputFile& file) {
  Records records;
  archive::OpeningPieces opening;
  KTSTR_TRY(archive::ScanForFrames(file, [&](const archive::FoundFrame& found) {
    records.frames.push_back({found.record.first_stored, found.offset, found.size, found.pages});
    AddRuns(found.record, records.runs);
    opening.Add(found.record.opening);
  }));
  records.opening = ToOptional(opening.Finish());
  return records;
}

// The regions as far as runs tell of them.
std::vector<MemoryRegion> RegionsOf(std::vector<KnownRun> runs) {
  std::ranges::sort(runs, {}, [](const KnownRun& known) { return known.run.first; });
  std::vector<MemoryRegion> regions;
  for (const KnownRun& known : runs) {
    const Pfn begin = known.run.first, end = begin + known.run.pages;
    if (!regions.empty() && begin <= regions.back().end) {
      regions.back().end = std::max(regions.back().end, end);
    } else {
      regions.push_back({begin, end});
    }
  }
  return regions;
}

Error NothingLeft(const InputFile& file) {
  return Error(ErrorCode::kDamaged,
               fmt::format("nothing of {} can be recovered: its page table is lost, and no memory "
                           "frame in it says which pages it holds (archives of format 1.0 do not)",
                           file.name()));
}

}  // namespace

Result<Salvaged> SalvageArchive(const std::string& path, uint64_t cache_bytes) {
  InputFile file = KTSTR_TRY(InputFile::Open(path));
  EndParts end = ReadEnd(file);
  Salvaged salvaged;
  if (end.container) salvaged.digest = end.container->digest;
  const bool placed = end.page_table.has_value();
  Records records;
  if (!placed || !end.metadata || !end.vcpus) records = KTSTR_TRY(ReadRecords(file));
  std::vector<KnownRun> runs;
  std::vector<IntactFrame> frames;
  if (placed) {
    runs = RunsOf(*end.page_table, RegionMap(*end.regions));
    frames = KTSTR_TRY(FramesOf(file, end));
  } else {
    if (records.frames.empty()) return Fail(NothingLeft(file));
    runs = std::move(records.runs);
    frames = std::move(records.frames);
  }
  if (end.container) salvaged.lost_frames = end.container->frame_count() - frames.size();
  if (records.opening) {
    if (!end.regions) end.regions = records.opening->regions;
    if (!end.vcpus) end.vcpus = std::move(records.opening->vcpus);
    if (!end.metadata) end.metadata = std::move(records.opening->metadata);
  }
  salvaged.regions_known = end.regions.has_value();
  salvaged.vcpus = std::move(end.vcpus);
  salvaged.metadata = std::move(end.metadata);
  salvaged.device_state = std::move(end.device_state);
  salvaged.frames = frames.size();
  std::vector<MemoryRegion> regions = end.regions ? *end.regions : RegionsOf(runs);
  auto memory = std::make_unique<archive::SalvagedMemory>(
      std::move(file), std::move(regions), std::move(runs), std::move(frames), cache_bytes);
  salvaged.check_reads = [reads = memory.get()] { return reads->CheckReads(); };
  salvaged.memory = std::move(memory);
  return salvaged;
}

}  // namespace ktstr
