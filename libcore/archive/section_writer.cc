#include "libcore/archive/section_writer.h"

#include <fmt/format.h>

#include <cstdint>

#include "libcore/archive/bytes.h"
#include "libcore/archive/checksum.h"
#include "libcore/archive/frame_codec.h"

namespace ktstr::archive {

Status SectionWriter::Add(SectionType type, std::span<const std::byte> payload) {
  return AddEncoded(type, SectionEncoding::kRaw, payload, payload.size());
}

Status SectionWriter::AddCompressed(SectionType type, std::span<const std::byte> payload,
                                    int level) {
  std::vector<std::byte> stored;
  KTSTR_TRY(FrameCompressor(level).Compress(payload, stored));
  const bool too_small = payload.size() / kMaxSectionRatio > stored.size();
  if (too_small || stored.size() >= payload.size()) return Add(type, payload);
  return AddEncoded(type, SectionEncoding::kZstd, stored, payload.size());
}

Status SectionWriter::AddEncoded(SectionType type, SectionEncoding encoding,
                                 std::span<const std::byte> stored, uint64_t payload_size) {
  const uint64_t frame_size = kSectionHeaderSize + stored.size();
  if (frame_size > UINT32_MAX) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("a section of {} bytes is too large for an archive", frame_size));
  }
  ByteSink frame;
  frame.Reserve(frame_size);
  frame.Put<uint32_t>(kSkippableMagic);
  frame.Put<uint32_t>(static_cast<uint32_t>(frame_size - kSkippableHeaderSize));
  frame.Put<uint32_t>(static_cast<uint32_t>(type));
  frame.PutBytes(stored);
  directory_.sections.push_back(
      {type, encoding, file_.size(), frame_size, payload_size, Checksum(frame.bytes())});
  entries_.push_back({static_cast<uint32_t>(frame_size), 0});
  return file_.Append(frame.bytes());
}

Result<std::string> SectionWriter::Finish() {
  // The seek table names the directory, whose size is known, and the directory holds the checksum
  // of the seek table.
  const uint64_t directory_size = DirectorySize(directory_.sections.size());
  entries_.push_back({static_cast<uint32_t>(directory_size), 0});
  const std::vector<std::byte> seek_table = EncodeSeekTable(entries_);
  directory_.seek_table_checksum = Checksum(seek_table);
  KTSTR_TRY(file_.Append(EncodeDirectory(directory_)));
  KTSTR_TRY(file_.Append(seek_table));
  return DigestText(directory_.digest);
}

}  // namespace ktstr::archive
