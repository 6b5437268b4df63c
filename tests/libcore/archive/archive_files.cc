#include "archive_files.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <set>

#include "libcore/archive/container.h"
#include "libcore/archive/header.h"
#include "libcore/archive/section_writer.h"
#include "libcore/base/output_file.h"

namespace ktstr::archive {

namespace {

// All stored pages; those of damaged frames are missing.
std::string WrongPages(const ArchiveReader& archive, const GuestMemory& truth) {
  std::vector<Bytes> frames(archive.frame_count());
  for (uint64_t i = 0; i < frames.size(); ++i) {
    frames[i].resize(archive.pages_in_frame(i) * kPageSize);
    if (!archive.ReadFrame(i, frames[i])) frames[i].clear();
  }
  for (const MemoryRegion& region : truth.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      const PageView right = truth.View(pfn);
      const PageRecord record = archive.Lookup(pfn);
      PageView got = PageView::Damaged();
      if (record.fate == PageFate::kPresent) {
        const Bytes& frame = frames.at(record.stored_page / archive.pages_per_frame());
        if (frame.empty()) continue;
        const uint64_t offset = record.stored_page % archive.pages_per_frame() * kPageSize;
        got = PageView::Present(frame.data() + offset);
        if (record.relocation) got = RelocatedView(got, *record.relocation);
      } else if (record.fate == PageFate::kZero) {
        got = PageView::Zero();
      } else if (record.fate == PageFate::kNotCaptured) {
        got = PageView::NotCaptured(record.reason);
      }
      if (!synthetic::SamePage(got, right)) return fmt::format("page {:#x} differs", pfn.value());
    }
  }
  return "";
}

}  // namespace

Bytes ReadFile(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  Bytes bytes(std::filesystem::file_size(path));
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

void WriteFile(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

std::string WriteSample(const std::filesystem::path& path, const synthetic::SampleGuest& guest,
                        const ArchiveWriteOptions& options) {
  const auto summary = WriteArchive(path, guest.contents(), options);
  if (!summary) {
    ADD_FAILURE() << summary.error().ToString();
    return "";
  }
  return summary->digest;
}

std::string OpenError(const std::filesystem::path& path) {
  const auto archive = ArchiveReader::Open(path);
  return archive ? "" : archive.error().ToString();
}

void Reseal(const std::filesystem::path& from, const std::filesystem::path& to,
            const std::function<void(SectionType, Bytes&)>& change) {
  const InputFile input = InputFile::Open(from).value();
  const Container container = ReadContainer(input).value();
  OutputFile output = OutputFile::Create(to, OutputFile::Existing::kReplace).value();
  const Bytes all = ReadFile(from);
  const auto offsets = std::span(container.frame_offsets);
  ASSERT_TRUE(output.Append(std::span(all).first(offsets.back())));
  std::vector<SeekEntry> entries = {{kHeaderSize, 0}};
  for (uint64_t i = 0; i < container.frame_count(); ++i) {
    const bool last = i + 1 == container.frame_count();
    entries.push_back(
        {static_cast<uint32_t>(offsets[i + 1] - offsets[i]),
         static_cast<uint32_t>(last ? container.last_frame_bytes : container.frame_bytes)});
  }
  SectionWriter sections(output, std::move(entries));
  for (const DirectoryEntry& section : container.sections) {
    const SectionPayload old = ReadSection(input, section).value();
    Bytes payload(old.bytes().begin(), old.bytes().end());
    change(section.type, payload);
    ASSERT_TRUE(sections.Add(section.type, payload));
  }
  ASSERT_TRUE(sections.Finish());
  ASSERT_TRUE(output.Publish());
}

std::string WrongAnswer(const ArchiveReader& archive, const synthetic::SampleGuest& truth) {
  if (archive.metadata() != truth.metadata) return "the metadata differ";
  if (!std::ranges::equal(archive.vcpus(), truth.vcpus)) return "the vCPU registers differ";
  if (!std::ranges::equal(archive.regions(), truth.memory.regions())) return "the regions differ";
  const auto device_state = archive.ReadDeviceState();
  if (device_state && *device_state != truth.device_state) return "the device state differs";
  return WrongPages(archive, truth.memory);
}

}  // namespace ktstr::archive
