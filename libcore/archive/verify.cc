#include "libcore/archive/verify.h"

#include <algorithm>

#include "libcore/archive/container.h"
#include "libcore/archive/frame_checker.h"
#include "libcore/archive/frame_codec.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/sections.h"

namespace ktstr {

namespace {

using archive::Container;
using archive::DirectoryEntry;
using archive::InputFile;
using archive::SectionType;

// By the checksums of the section FRMS; where that is damaged, by the frames' own.
Result<std::vector<uint64_t>> DamagedFrames(const InputFile& file, const Container& container) {
  const DirectoryEntry* section = container.Find(SectionType::kFrames);
  if (section != nullptr) {
    if (const auto payload = ReadSection(file, *section)) {
      if (const auto info = archive::DecodeFrameInfo(payload->bytes(), container)) {
        return CheckFrames(file, container.frame_offsets, info->checksums, 0);
      }
    }
  }
  std::vector<uint64_t> damaged;
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    const bool last = i + 1 == container.frame_count();
    std::vector<std::byte> frame(container.frame_offsets[i + 1] - container.frame_offsets[i]);
    std::vector<std::byte> pages(last ? container.last_frame_bytes : container.frame_bytes);
    KTSTR_TRY(file.ReadAt(container.frame_offsets[i], frame));
    if (!archive::DecompressFrame(frame, pages)) damaged.push_back(i);
  }
  return damaged;
}

}  // namespace

Result<Verification> VerifyArchive(const std::string& path) {
  const InputFile file = KTSTR_TRY(InputFile::Open(path));
  Verification verification;
  const auto container = archive::ReadContainer(file);
  if (!container) {
    if (container.error().code() != ErrorCode::kDamaged) return Fail(container.error());
    verification.damaged.push_back({.why = container.error().ToString()});
    return verification;
  }
  verification.frames = container->frame_count();
  verification.sections = container->sections.size();
  for (const uint64_t frame : KTSTR_TRY(DamagedFrames(file, *container))) {
    const uint64_t offset = container->frame_offsets[frame];
    verification.damaged.push_back({.frame = frame,
                                    .section = {},
                                    .offset = offset,
                                    .size = container->frame_offsets[frame + 1] - offset,
                                    .why = "does not match its checksum"});
  }
  for (const DirectoryEntry& section : container->sections) {
    if (const Status intact = CheckSection(file, section); !intact) {
      if (intact.error().code() != ErrorCode::kDamaged) return Fail(intact.error());
      verification.damaged.push_back({.frame = {},
                                      .section = section.type,
                                      .offset = section.offset,
                                      .size = section.frame_size,
                                      .why = intact.error().ToString()});
    }
  }
  // What is under a checksum, but makes no sense, was written so.
  if (verification.damaged.empty()) {
    if (const auto reader = ArchiveReader::Open(path); !reader) {
      verification.damaged.push_back({.why = reader.error().ToString()});
    }
  }
  return verification;
}

}  // namespace ktstr
