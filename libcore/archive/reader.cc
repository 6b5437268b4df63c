#include "libcore/archive/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "libcore/archive/bytes.h"
#include "libcore/archive/checksum.h"
#include "libcore/archive/container.h"
#include "libcore/archive/frame_checker.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/page_table.h"
#include "libcore/archive/region_map.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"

namespace ktstr {

using archive::DirectoryEntry;
using archive::RunKind;
using archive::SectionType;

struct ArchiveReader::State {
  std::string path;
  archive::InputFile file;
  archive::Container container;

  ArchiveMetadata metadata;
  std::vector<VcpuRegisters> vcpus;
  std::vector<LostPart> lost;
  RegionMap regions;
  archive::FrameInfo frames;
  archive::PageTable page_table;
};

namespace {

using Bytes = std::vector<std::byte>;

Result<archive::SectionPayload> ReadRequired(const archive::InputFile& file,
                                             const archive::Container& container, SectionType type,
                                             const char* what) {
  const DirectoryEntry* section = container.Find(type);
  if (section == nullptr) {
    return Fail(ErrorCode::kDamaged, fmt::format("it has no section for the {}", what));
  }
  return ReadSection(file, *section);
}

bool IsDecodedOnOpening(SectionType type) {
  switch (type) {
    case SectionType::kMetadata:
    case SectionType::kVcpus:
    case SectionType::kRegions:
    case SectionType::kFrames:
    case SectionType::kPageTable:
      return true;
    default:
      return false;
  }
}

PageFate FateOf(RunKind kind) {
  switch (kind) {
    case RunKind::kStored:
    case RunKind::kSame:
    case RunKind::kSequence:
    case RunKind::kRelocated:
      return PageFate::kPresent;
    case RunKind::kZero:
      return PageFate::kZero;
    case RunKind::kDamaged:
      return PageFate::kDamaged;
    case RunKind::kLeftOut:
      return PageFate::kNotCaptured;
  }
  return PageFate::kDamaged;
}

}  // namespace

ArchiveReader::ArchiveReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
ArchiveReader::~ArchiveReader() = default;

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::Open(const std::string& path, Damage damage) {
  archive::InputFile file = KTSTR_TRY(archive::InputFile::Open(path));
  archive::Container container = KTSTR_TRY(archive::ReadContainer(file));
  auto state = std::make_unique<State>(State{path, std::move(file), std::move(container)});
  if (Status sections = ReadSections(*state, damage); !sections) {
    return Fail(InFile(state->file, std::move(sections).error()));
  }
  return std::unique_ptr<ArchiveReader>(new ArchiveReader(std::move(state)));
}

Status ArchiveReader::ReadSections(State& state, Damage damage) {
  const auto read = [&state](SectionType type, const char* what) {
    return ReadRequired(state.file, state.container, type, what);
  };
  const auto accept = [&](const Status& status, LostPart::Part part) -> Status {
    if (status || damage == Damage::kRefuse || status.error().code() != ErrorCode::kDamaged) {
      return status;
    }
    state.lost.push_back({part, status.error()});
    return {};
  };
  const auto read_metadata = [&]() -> Status {
    const auto metadata = KTSTR_TRY(read(SectionType::kMetadata, "metadata"));
    state.metadata = KTSTR_TRY(archive::DecodeMetadata(archive::AsText(metadata.bytes())));
    return {};
  };
  const auto read_vcpus = [&]() -> Status {
    const auto vcpus = KTSTR_TRY(read(SectionType::kVcpus, "vCPU registers"));
    state.vcpus = KTSTR_TRY(archive::DecodeVcpus(vcpus.bytes()));
    return {};
  };
  KTSTR_TRY(accept(read_metadata(), LostPart::Part::kMetadata));
  KTSTR_TRY(accept(read_vcpus(), LostPart::Part::kVcpus));
  const auto regions = KTSTR_TRY(read(SectionType::kRegions, "memory regions"));
  state.regions = RegionMap(KTSTR_TRY(archive::DecodeRegions(regions.bytes())));
  const auto frames = KTSTR_TRY(read(SectionType::kFrames, "memory frames"));
  state.frames = KTSTR_TRY(archive::DecodeFrameInfo(frames.bytes(), state.container));
  const auto page_table = KTSTR_TRY(read(SectionType::kPageTable, "page table"));
  state.page_table = KTSTR_TRY(archive::PageTable::Decode(
      page_table.bytes(), state.regions.page_count(), state.frames.stored_pages));
  return {};
}

Status ArchiveReader::CheckOtherSections() const {
  for (const DirectoryEntry& section : state_->container.sections) {
    if (IsDecodedOnOpening(section.type)) continue;
    if (Status intact = CheckSection(state_->file, section); !intact) {
      return Fail(InFile(state_->file, std::move(intact).error()));
    }
  }
  return {};
}

std::span<const LostPart> ArchiveReader::lost() const { return state_->lost; }
bool ArchiveReader::has_lost(LostPart::Part part) const {
  return std::ranges::find(state_->lost, part, &LostPart::part) != state_->lost.end();
}
const std::string& ArchiveReader::path() const { return state_->path; }
uint64_t ArchiveReader::file_size() const { return state_->file.size(); }
const std::string& ArchiveReader::digest() const { return state_->container.digest; }
const ArchiveMetadata& ArchiveReader::metadata() const { return state_->metadata; }
std::span<const VcpuRegisters> ArchiveReader::vcpus() const { return state_->vcpus; }
std::span<const MemoryRegion> ArchiveReader::regions() const { return state_->regions.regions(); }
uint64_t ArchiveReader::frame_count() const { return state_->container.frame_count(); }
uint64_t ArchiveReader::pages_per_frame() const { return state_->frames.pages_per_frame; }

Result<Bytes> ArchiveReader::ReadDeviceState() const {
  const DirectoryEntry* section = state_->container.Find(SectionType::kDeviceState);
  if (section == nullptr) return Bytes();
  const Result<archive::SectionPayload> payload = ReadSection(state_->file, *section);
  if (!payload) return Fail(InFile(state_->file, payload.error()));
  return Bytes(payload->bytes().begin(), payload->bytes().end());
}

PageRecord ArchiveReader::Lookup(Pfn pfn) const {
  const auto index = state_->regions.IndexOf(pfn);
  if (!index) return PageRecord();
  const archive::PageRun& run = state_->page_table.Find(*index);
  PageRecord record = {FateOf(run.kind), run.reason, IsDuplicate(run.kind),
                       archive::PageTable::StoredPageOf(run, *index)};
  if (run.kind == RunKind::kRelocated) {
    record.relocation = state_->page_table.RelocationOf(run, *index);
  }
  return record;
}

Pfn ArchiveReader::NextNotZero(Pfn from) const {
  const auto index = state_->regions.IndexOf(from);
  if (!index) return from;
  const uint64_t next = state_->page_table.NextNotZero(*index);
  return std::min(from + (next - *index), state_->regions.Find(from)->end);
}

std::vector<PageCount> ArchiveReader::CountPages() const {
  std::map<std::tuple<PageFate, LeftOutReason, bool>, uint64_t> counts;
  const auto runs = state_->page_table.runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto& run = runs[i];
    counts[{FateOf(run.kind), run.reason, IsDuplicate(run.kind)}] +=
        state_->page_table.EndOf(i) - run.first;
  }
  std::vector<PageCount> result;
  for (const auto& [key, pages] : counts) {
    result.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), pages});
  }
  return result;
}

uint64_t ArchiveReader::pages_in_frame(uint64_t frame) const {
  return state_->container.DecompressedBytes(frame) / kPageSize;
}

uint64_t ArchiveReader::compressed_bytes(uint64_t frame) const {
  return state_->container.CompressedBytes(frame);
}

std::vector<std::pair<Pfn, uint64_t>> ArchiveReader::PagesOfFrames(
    std::span<const uint64_t> frames) const {
  std::vector<std::pair<Pfn, uint64_t>> pages;
  const archive::PageTable& table = state_->page_table;
  for (size_t i = 0; i < table.runs().size(); ++i) {
    const archive::PageRun& run = table.runs()[i];
    if (FateOf(run.kind) != PageFate::kPresent) continue;
    for (uint64_t index = run.first; index < table.EndOf(i); ++index) {
      const uint64_t frame = archive::PageTable::StoredPageOf(run, index) / pages_per_frame();
      if (!std::ranges::binary_search(frames, frame)) continue;
      pages.emplace_back(state_->regions.PfnAt(index), frame);
    }
  }
  return pages;
}

Error ArchiveReader::InFrame(uint64_t frame, Error error) const {
  return InFile(state_->file, std::move(error).Wrap(fmt::format("memory frame {}", frame)));
}

Status ArchiveReader::ReadCompressedFrame(uint64_t frame, Bytes& out) const {
  if (frame >= frame_count()) {
    return Fail(ErrorCode::kOutOfRange, fmt::format("{} has {} memory frames, no frame {}",
                                                    state_->file.name(), frame_count(), frame));
  }
  out.resize(state_->container.CompressedBytes(frame));
  Status status = state_->file.ReadAt(state_->container.frame_offsets[frame], out);
  if (status && archive::Checksum(out) != state_->frames.checksums[frame]) {
    status = Fail(ErrorCode::kDamaged, "it does not match its checksum");
  }
  if (status) return {};
  return Fail(InFrame(frame, std::move(status).error()));
}

Status ArchiveReader::ReadFrame(uint64_t frame, std::span<std::byte> out) const {
  thread_local Bytes compressed;
  KTSTR_TRY(ReadCompressedFrame(frame, compressed));
  Status status = archive::DecompressComparedFrame(compressed, out);
  if (status) return {};
  return Fail(InFrame(frame, std::move(status).error()));
}

Result<std::vector<uint64_t>> ArchiveReader::FindDamagedFrames(int threads) const {
  Result<std::vector<uint64_t>> damaged = archive::CheckFrames(
      state_->file, state_->container.frame_offsets, state_->frames.checksums, threads);
  if (!damaged) return Fail(InFile(state_->file, std::move(damaged).error()));
  return damaged;
}

}  // namespace ktstr
