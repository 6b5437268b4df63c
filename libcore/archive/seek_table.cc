#include "libcore/archive/seek_table.h"

#include "libcore/archive/bytes.h"
#include "libcore/archive/format.h"

namespace ktstr::archive {

namespace {

constexpr uint32_t kFrameMagic = 0x184D2A5E;
constexpr uint32_t kFooterMagic = 0x8F92EAB1;
constexpr size_t kSeekEntrySize = 8;

uint64_t FrameSize(uint64_t entries) {
  return kSkippableHeaderSize + entries * kSeekEntrySize + kSeekTableFooterSize;
}

}  // namespace

std::vector<std::byte> EncodeSeekTable(std::span<const SeekEntry> entries) {
  ByteSink sink;
  sink.Reserve(FrameSize(entries.size()));
  sink.Put<uint32_t>(kFrameMagic);
  sink.Put<uint32_t>(static_cast<uint32_t>(FrameSize(entries.size()) - kSkippableHeaderSize));
  for (const SeekEntry& entry : entries) {
    sink.Put<uint32_t>(entry.compressed_size);
    sink.Put<uint32_t>(entry.decompressed_size);
  }
  sink.Put<uint32_t>(static_cast<uint32_t>(entries.size()));
  sink.Put<uint8_t>(0);
  sink.Put<uint32_t>(kFooterMagic);
  return std::move(sink).Take();
}

Result<uint64_t> SeekTableSize(std::span<const std::byte> footer) {
  ByteSource source(footer);
  const uint64_t entries = source.Get<uint32_t>();
  const uint8_t descriptor = source.Get<uint8_t>();
  const uint32_t magic = source.Get<uint32_t>();
  if (!source.ok() || magic != kFooterMagic || descriptor != 0) {
    return Fail(ErrorCode::kDamaged, "it does not end in a seek table");
  }
  return FrameSize(entries);
}

Result<std::span<const SeekEntry>> DecodeSeekTable(std::span<const std::byte> frame) {
  ByteSource source(frame);
  const uint32_t magic = source.Get<uint32_t>();
  const uint32_t size = source.Get<uint32_t>();
  if (!source.ok() || magic != kFrameMagic || size != source.left() ||
      frame.size() < FrameSize(0)) {
    return Fail(ErrorCode::kDamaged, "the seek table is malformed");
  }
  if (KTSTR_TRY(SeekTableSize(frame.last(kSeekTableFooterSize))) != frame.size()) {
    return Fail(ErrorCode::kDamaged, "the seek table is malformed");
  }
  static_assert(sizeof(SeekEntry) == kSeekEntrySize && alignof(SeekEntry) == 4,
                "an entry is used as it is stored");
  const auto* const entries =
      reinterpret_cast<const SeekEntry*>(frame.data() + kSkippableHeaderSize);
  return std::span(entries, (frame.size() - FrameSize(0)) / kSeekEntrySize);
}

}  // namespace ktstr::archive
