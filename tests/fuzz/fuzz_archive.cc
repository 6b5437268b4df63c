// Proves: whatever an archive holds under right checksums, opening it, reading all of it, and
// looking for a kernel in it ends, within the file's bytes and with memory in proportion to them.
//
// Input: a byte that chooses. Odd: the payloads of the sections, apart from each other by "|KTS|",
// which are put around the sample's memory frames. Even: a whole file, whose checksums are
// repaired.
#include <array>

#include "archive_checksums.h"
#include "fuzz.h"
#include "libcore/archive/reader.h"
#include "replay/frozen_machine.h"
#include "sample_archive.h"

namespace ktstr::fuzz {
namespace {

using archive::SectionType;

void ReadAll(const ArchiveReader& archive) {
  std::vector<std::byte> pages;
  for (uint64_t frame = 0; frame < archive.frame_count(); ++frame) {
    pages.resize(archive.pages_in_frame(frame) * kPageSize);
    (void)archive.ReadFrame(frame, pages);
  }
  uint64_t looked_up = 0;
  for (const MemoryRegion& region : archive.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end && ++looked_up < 300; pfn = pfn + 1) {
      const PageRecord record = archive.Lookup(pfn);
      Require(record.fate != PageFate::kPresent ||
                  record.stored_page / archive.pages_per_frame() < archive.frame_count(),
              "a page is in a memory frame that there is");
      Require(archive.NextNotZero(pfn) >= pfn, "the next page is not before this one");
    }
  }
  (void)archive.CountPages();
  (void)archive.ReadDeviceState();
  (void)archive.FindDamagedFrames(1);
}

void Open(const std::string& path, FrozenMachine::Damage damage) {
  const auto machine = FrozenMachine::Open(path, damage, {.cache_bytes = 1 << 20});
  if (!machine) return;
  ReadAll((*machine)->archive());
  uint64_t viewed = 0;
  for (const MemoryRegion& region : (*machine)->memory().regions()) {
    for (Pfn pfn = region.begin; pfn < region.end && ++viewed < 300; pfn = pfn + 1) {
      const PageView page = (*machine)->memory().View(pfn);
      if (page.readable()) (void)(*machine)->memory().Writable(pfn);
    }
  }
  (void)(*machine)->Kernel();
}

// As everybody opens an archive, and as somebody does who accepts damage.
void Try(const std::string& path) {
  Open(path, FrozenMachine::Damage::kRefuse);
  Open(path, FrozenMachine::Damage::kAccept);
}

Sections SectionsOf(std::string_view text) {
  constexpr std::string_view kSeparator = "|KTS|";
  Sections sections = SampleArchive::Get().sections;
  for (const SectionType type :
       {SectionType::kMetadata, SectionType::kVcpus, SectionType::kRegions, SectionType::kPageTable,
        SectionType::kFrames, SectionType::kDeviceState}) {
    const size_t end = std::min(text.find(kSeparator), text.size());
    const auto payload = std::as_bytes(std::span(text.substr(0, end)));
    // An empty one stands for the sample's.
    if (!payload.empty()) sections[type].assign(payload.begin(), payload.end());
    text.remove_prefix(std::min(end + kSeparator.size(), text.size()));
  }
  return sections;
}

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::fuzz;
  if (size == 0) return 0;
  if (data[0] % 2 != 0) {
    Try(AssembledArchive(SampleArchive::Get(), SectionsOf(AsText(data + 1, size - 1))).path());
    return 0;
  }
  const auto bytes = AsBytes(data + 1, size - 1);
  std::vector<std::byte> file(bytes.begin(), bytes.end());
  RepairArchive(file);
  Try(MemoryFile(file).path());
  return 0;
}
