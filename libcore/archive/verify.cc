#include "libcore/archive/verify.h"

#include <algorithm>

#include "libcore/archive/container.h"
#include "libcore/archive/frame_checker.h"
#include "libcore/archive/reader.h"
#include "libcore/archive/sections.h"

namespace ktstr {

namespace {

using archive::Container;
using archive::DirectoryEntry;
using archive::InputFile;
using archive::SectionType;

// Nothing where the section FRMS is damaged.
std::optional<archive::FrameInfo> FrameInfoOf(const InputFile& file, const Container& container) {
  const DirectoryEntry* section = container.Find(SectionType::kFrames);
  if (section == nullptr) return std::nullopt;
  const auto payload = ReadSection(file, *section);
  if (!payload) return std::nullopt;
  auto info = archive::DecodeFrameInfo(payload->bytes(), container);
  if (!info) return std::nullopt;
  return *std::move(info);
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
  const auto info = FrameInfoOf(file, *container);
  const auto frames = KTSTR_TRY(DamagedFrames(file, *container, info ? &*info : nullptr));
  for (const uint64_t frame : frames) {
    verification.damaged.push_back({.frame = frame,
                                    .section = {},
                                    .offset = container->frame_offsets[frame],
                                    .size = container->CompressedBytes(frame),
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
