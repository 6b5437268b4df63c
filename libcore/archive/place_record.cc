#include "libcore/archive/place_record.h"

#include <algorithm>
#include <utility>

#include "libcore/archive/bytes.h"
#include "libcore/archive/checksum.h"

namespace ktstr::archive {

namespace {

constexpr size_t kRecordHeaderSize = kSkippableHeaderSize + sizeof(uint32_t);  // with the checksum
// Of a record's numbers beside the runs.
constexpr size_t kMostOfCounts = 4 * 10;
// Not worth its offset and size.
constexpr size_t kLeastOpening = 32;

uint32_t ShortChecksum(std::span<const std::byte> bytes) {
  return static_cast<uint32_t>(Checksum(bytes));
}

bool HasArgument(RunKind kind) { return IsDuplicate(kind) || kind == RunKind::kLeftOut; }

void PutRun(const PlacedRun& run, ByteSink& sink) {
  sink.PutVarint(run.first.value());
  sink.PutVarint((run.pages - 1) << 3 | static_cast<uint64_t>(run.kind));
  if (HasArgument(run.kind)) sink.PutVarint(run.argument);
  if (run.kind == RunKind::kRelocated) PutRelocation(run.relocation, sink);
}

size_t SizeOf(const PlacedRun& run) {
  return VarintSize(run.first.value()) + VarintSize((run.pages - 1) << 3) +
         (HasArgument(run.kind) ? VarintSize(run.argument) : 0) +
         (run.kind == RunKind::kRelocated ? RelocationSize(run.relocation) : 0);
}

// Moves as many runs as fit out of `runs`, but all of stored pages, and keeps the order of both.
std::vector<PlacedRun> TakeFitting(std::vector<PlacedRun>& runs, size_t room) {
  size_t used = 0;
  for (const PlacedRun& run : runs) used += run.kind == RunKind::kStored ? SizeOf(run) : 0;
  std::vector<PlacedRun> taken, left;
  for (const PlacedRun& run : runs) {
    const size_t size = run.kind == RunKind::kStored ? 0 : SizeOf(run);
    const bool fits = used + size <= room;
    if (fits) used += size;
    (fits || size == 0 ? taken : left).push_back(run);
  }
  runs = std::move(left);
  return taken;
}

}  // namespace

void PlaceLog::Add(Pfn first, uint64_t pages, RunKind kind, uint64_t argument,
                   const Relocation& relocation) {
  if (pages == 0) return;
  if (!runs_.empty()) {
    PlacedRun& last = runs_.back();
    const bool follows = last.first + last.pages == first;
    const bool next = argument == last.argument + last.pages;
    // A run of one can still become either kind, as in the page table.
    if (follows && kind == RunKind::kSame && last.kind == kind && last.pages == 1 && next) {
      last.kind = RunKind::kSequence;
    }
    const bool goes_on = last.kind == RunKind::kSequence
                             ? kind == RunKind::kSame && next
                             : kind == last.kind && argument == last.argument &&
                                   (kind != RunKind::kRelocated ||
                                    relocation == last.relocation.Further(last.pages));
    if (follows && goes_on) {
      last.pages += pages;
      return;
    }
  }
  runs_.push_back({first, pages, kind, argument, relocation});
}

void AppendPlaceRecord(uint64_t first_stored, size_t room, std::vector<PlacedRun>& runs,
                       OpeningPiece& opening, std::vector<std::byte>& out) {
  constexpr size_t kFixed = kRecordHeaderSize + kMostOfCounts;
  size_t left = room > kFixed ? room - kFixed : 0;
  const std::vector<PlacedRun> taken = TakeFitting(runs, left);
  ByteSink payload;
  payload.PutVarint(first_stored);
  payload.PutVarint(taken.size());
  for (const PlacedRun& run : taken) PutRun(run, payload);
  left -= std::min(left, payload.size());
  if (!opening.bytes.empty() && left >= kLeastOpening) {
    const auto piece = opening.bytes.first(std::min(left, opening.bytes.size()));
    payload.PutVarint(opening.offset);
    payload.PutVarint(opening.size);
    payload.PutBytes(piece);
    opening.offset += piece.size();
    opening.bytes = opening.bytes.subspan(piece.size());
  }
  ByteSink record;
  record.Put<uint32_t>(kPlaceRecordMagic);
  record.Put<uint32_t>(static_cast<uint32_t>(payload.size() + sizeof(uint32_t)));
  record.Put<uint32_t>(ShortChecksum(payload.bytes()));
  record.PutBytes(payload.bytes());
  out.insert(out.end(), record.bytes().begin(), record.bytes().end());
}

size_t PlaceRecordSize(std::span<const std::byte> bytes) {
  ByteSource source(bytes);
  const bool is_one = source.Get<uint32_t>() == kPlaceRecordMagic;
  const uint32_t size = source.Get<uint32_t>();
  if (!is_one || !source.ok() || size < sizeof(uint32_t)) return 0;
  return kSkippableHeaderSize + size_t{size};
}

Result<PlaceRecord> DecodePlaceRecord(std::span<const std::byte> record) {
  const auto damaged = [](const char* what) { return Fail(ErrorCode::kDamaged, what); };
  if (record.size() < kRecordHeaderSize || PlaceRecordSize(record) != record.size()) {
    return damaged("it is no place record");
  }
  ByteSource source(record.subspan(kSkippableHeaderSize));
  const uint32_t checksum = source.Get<uint32_t>();
  if (checksum != ShortChecksum(record.subspan(kRecordHeaderSize))) {
    return damaged("a place record does not match its checksum");
  }
  PlaceRecord decoded;
  decoded.first_stored = source.GetVarint();
  const uint64_t runs = source.GetVarint();
  if (decoded.first_stored > kMaxPages) return damaged("a place record has an impossible number");
  for (uint64_t i = 0; i < runs && source.ok(); ++i) {
    const uint64_t first = source.GetVarint();
    const uint64_t head = source.GetVarint();
    PlacedRun run = {
        .first = Pfn(first), .pages = (head >> 3) + 1, .kind = static_cast<RunKind>(head & 7)};
    if (HasArgument(run.kind)) run.argument = source.GetVarint();
    std::optional<Relocation> relocation = Relocation();
    if (run.kind == RunKind::kRelocated) relocation = GetRelocation(run.pages, source);
    const bool possible = first <= kMaxPfn && run.pages <= kMaxPages && relocation &&
                          (head & 7) <= static_cast<uint64_t>(RunKind::kRelocated) &&
                          (run.kind == RunKind::kLeftOut || run.argument <= kMaxPages);
    if (relocation) run.relocation = *relocation;
    if (!source.ok() || !possible) return damaged("a place record has an impossible run");
    decoded.runs.push_back(run);
  }
  if (source.left() > 0) {
    decoded.opening.offset = source.GetVarint();
    decoded.opening.size = source.GetVarint();
    decoded.opening.bytes = source.GetBytes(source.left());
  }
  if (!source.ok()) return damaged("a place record ends too early");
  return decoded;
}

}  // namespace ktstr::archive
