#include "libcore/archive/writer.h"

#include <fmt/format.h>

#include <bit>
#include <deque>
#include <future>
#include <optional>
#include <utility>
#include <vector>

#include "libcore/archive/block_cursor.h"
#include "libcore/archive/duplicate_finder.h"
#include "libcore/archive/frame_writer.h"
#include "libcore/archive/header.h"
#include "libcore/archive/metadata_codec.h"
#include "libcore/archive/opening.h"
#include "libcore/archive/page_scan.h"
#include "libcore/archive/page_table_builder.h"
#include "libcore/archive/section_writer.h"
#include "libcore/archive/sections.h"
#include "libcore/archive/vcpu_codec.h"
#include "libcore/archive/worker_pool.h"
#include "libcore/base/output_file.h"

namespace ktstr {

namespace {

using archive::PageBlock;
using archive::RunKind;
using archive::ScannedPage;
using archive::SectionType;

// The pages of one guest on their way into one file. Blocks are looked at by the pool, classified
// here in order (which makes the result independent of timing), and compressed by the pool.
class PageWriter {
 public:
  PageWriter(const ArchiveContents& contents, const ArchiveWriteOptions& options,
             const std::string& metadata, OutputFile& file)
      : memory_(contents.memory),
        options_(options),
        page_count_(contents.memory.page_count()),
        cursor_(contents.memory, contents.filter),
        duplicates_(contents.memory),
        frames_(contents.memory, file, options.pages_per_frame, options.compression_level, places_,
                archive::EncodeOpening(contents.memory.regions(), contents.vcpus, metadata),
                options.copy_bytes, options.copies),
        pool_(options.threads) {}

  // Errors: kIo, kUnreadable, kInvalidArgument when cancelled.
  Status ReadAll() {
    for (StartScans(); !scans_.empty(); StartScans()) {
      if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) {
        return Fail(ErrorCode::kInvalidArgument, "writing the archive was cancelled");
      }
      const archive::ScannedBlock scanned = KTSTR_TRY(scans_.front().get());
      scans_.pop_front();
      KTSTR_TRY(Classify(scanned));
      pages_done_ += scanned.block.pages;
      if (options_.progress) options_.progress(pages_done_, page_count_);
    }
    return frames_.FinishReading(pool_);
  }
  // What is left once the memory is not needed any more. Errors: kIo, kUnreadable.
  Status WriteRest(bool stand_back) {
    if (stand_back) pool_.StandBack();
    return frames_.Finish();
  }

  const archive::FrameWriter& frames() const { return frames_; }
  uint64_t stored_pages() const { return duplicates_.stored().size(); }
  std::vector<std::byte> TakePageTable() { return std::move(page_table_).Finish(); }
  void AddCounts(ArchiveWriteSummary& summary) const {
    summary.present_pages = stored_pages();
    summary.duplicate_pages = duplicate_pages_;
    summary.zero_pages = zero_pages_;
    summary.damaged_pages = damaged_pages_;
    summary.left_out_pages = left_out_pages_;
  }

 private:
  void StartScans() {
    const size_t most = static_cast<size_t>(pool_.threads()) + 1;
    while (scans_.size() < most) {
      std::optional<PageBlock> next = cursor_.Next();
      if (!next) return;
      if (next->untouched || next->left_out != LeftOutReason::kNone) {
        // Nothing is looked at: waking a thread would cost more.
        std::promise<Result<archive::ScannedBlock>> scanned;
        scanned.set_value(archive::ScanPages(memory_, std::move(*next)));
        scans_.push_back(scanned.get_future());
        continue;
      }
      scans_.push_back(pool_.Run([this, block = std::move(*next)]() mutable {
        return archive::ScanPages(memory_, std::move(block));
      }));
    }
  }

  Status Classify(const archive::ScannedBlock& scanned) {
    const PageBlock& block = scanned.block;
    if (block.left_out != LeftOutReason::kNone) {
      AddLeftOut(block.first, block.pages, block.left_out);
    } else if (scanned.pages.empty()) {
      AddZero(block.first, block.pages);
    }
    for (size_t i = 0; i < scanned.pages.size(); ++i) {
      KTSTR_TRY(ClassifyPage(block.first + i, scanned.pages[i]));
    }
    return {};
  }

  Status ClassifyPage(Pfn pfn, const ScannedPage& page) {
    switch (page.fate) {
      case PageFate::kPresent:
        return AddPresent(pfn, page);
      case PageFate::kZero:
        AddZero(pfn, 1);
        return {};
      case PageFate::kNotCaptured:
        AddLeftOut(pfn, 1, page.reason);
        return {};
      case PageFate::kDamaged:
      case PageFate::kOutside:
        places_.Add(pfn, 1, RunKind::kDamaged);
        page_table_.AddDamaged();
        ++damaged_pages_;
        return {};
    }
    return {};
  }

  Status AddPresent(Pfn pfn, const ScannedPage& page) {
    const uint64_t own = page.own_address;
    if (page.follows) {
      following_.relocation.to = own;
      AddDuplicate(pfn);
      return {};
    }
    const auto match = KTSTR_TRY(duplicates_.FindOrStore(pfn, page.hash, own));
    following_ = {match ? match->stored : duplicates_.stored().size() - 1,
                  {match ? match->own_address : own, own}};
    if (match) {
      AddDuplicate(pfn);
      return {};
    }
    places_.Add(pfn, 1, RunKind::kStored);
    page_table_.AddStored();
    return frames_.Add(pfn, pool_);
  }

  void AddDuplicate(Pfn pfn) {
    const auto& [stored, relocation] = following_;
    if (relocation.from == relocation.to) {
      places_.Add(pfn, 1, RunKind::kSame, stored);
      page_table_.AddDuplicate(stored);
    } else {
      places_.Add(pfn, 1, RunKind::kRelocated, stored, relocation);
      page_table_.AddRelocated(stored, relocation);
    }
    ++duplicate_pages_;
  }

  void AddLeftOut(Pfn first, uint64_t pages, LeftOutReason reason) {
    places_.Add(first, pages, RunKind::kLeftOut, static_cast<uint64_t>(reason));
    page_table_.AddLeftOut(reason, pages);
    left_out_pages_[reason] += pages;
  }

  void AddZero(Pfn first, uint64_t pages) {
    places_.Add(first, pages, RunKind::kZero);
    page_table_.AddZero(pages);
    zero_pages_ += pages;
  }

  const GuestMemory& memory_;
  const ArchiveWriteOptions& options_;
  const uint64_t page_count_;
  archive::BlockCursor cursor_;
  archive::DuplicateFinder duplicates_;
  archive::PageTableBuilder page_table_;
  // The stored page that the present page before is equal to, and where both lie.
  struct {
    uint64_t stored = 0;
    archive::Relocation relocation;
  } following_;
  archive::PlaceLog places_;
  archive::FrameWriter frames_;
  std::deque<std::future<Result<archive::ScannedBlock>>> scans_;
  uint64_t pages_done_ = 0;
  uint64_t duplicate_pages_ = 0, zero_pages_ = 0, damaged_pages_ = 0;
  std::map<LeftOutReason, uint64_t> left_out_pages_;
  // Last: its threads end before anything that they use is gone.
  archive::WorkerPool pool_;
};

std::span<const std::byte> TextBytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Writes what follows the memory frames; returns the digest.
Result<std::string> WriteSections(const ArchiveContents& contents,
                                  const ArchiveWriteOptions& options, const std::string& metadata,
                                  PageWriter& pages, OutputFile& file) {
  std::vector<archive::SeekEntry> entries = {{archive::kHeaderSize, 0}};
  const auto& frames = pages.frames().entries();
  entries.insert(entries.end(), frames.begin(), frames.end());
  archive::SectionWriter sections(file, std::move(entries));
  KTSTR_TRY(sections.Add(SectionType::kMetadata, TextBytes(metadata)));
  KTSTR_TRY(sections.Add(SectionType::kVcpus, archive::EncodeVcpus(contents.vcpus)));
  KTSTR_TRY(sections.Add(SectionType::kRegions, archive::EncodeRegions(contents.memory.regions())));
  KTSTR_TRY(sections.Add(SectionType::kPageTable, pages.TakePageTable()));
  KTSTR_TRY(sections.Add(SectionType::kFrames,
                         archive::EncodeFrameInfo({options.pages_per_frame, pages.stored_pages(),
                                                   pages.frames().checksums()})));
  if (!contents.device_state.empty()) {
    KTSTR_TRY(sections.AddCompressed(SectionType::kDeviceState, contents.device_state,
                                     options.compression_level));
  }
  return sections.Finish();
}

Status CheckOptions(const ArchiveWriteOptions& options) {
  if (!std::has_single_bit(options.pages_per_frame) ||
      options.pages_per_frame > archive::kMaxPagesPerFrame) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is no number of pages for a memory frame: it must be a power of two, "
                    "at most {}",
                    options.pages_per_frame, archive::kMaxPagesPerFrame));
  }
  return {};
}

}  // namespace

Result<ArchiveWriteSummary> WriteArchive(const std::string& path, const ArchiveContents& contents,
                                         const ArchiveWriteOptions& options) {
  KTSTR_TRY(CheckOptions(options));
  KTSTR_TRY(archive::CheckRegions(contents.memory.regions()));
  const std::string metadata = KTSTR_TRY(archive::EncodeMetadata(contents.metadata));
  const auto existing =
      options.overwrite ? OutputFile::Existing::kReplace : OutputFile::Existing::kKeep;
  OutputFile file = KTSTR_TRY(OutputFile::Create(path, existing));
  KTSTR_TRY(file.Append(archive::EncodeHeader(archive::kMajorVersion, archive::kMinorVersion)));
  PageWriter pages(contents, options, metadata, file);
  KTSTR_TRY(pages.ReadAll());
  if (options.memory_done) KTSTR_TRY(options.memory_done());
  // The machine that was written may go on now, and wants the CPUs.
  KTSTR_TRY(pages.WriteRest(/*stand_back=*/options.copy_bytes > 0));
  ArchiveWriteSummary summary;
  summary.digest = KTSTR_TRY(WriteSections(contents, options, metadata, pages, file));
  summary.file_size = file.size();
  pages.AddCounts(summary);
  if (options.accept) summary.accepted = KTSTR_TRY(options.accept(KTSTR_TRY(file.Readable())));
  if (summary.accepted) KTSTR_TRY(file.Publish());
  return summary;
}

}  // namespace ktstr
