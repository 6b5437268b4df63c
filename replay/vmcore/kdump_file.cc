#include "replay/vmcore/kdump_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "replay/vmcore/page_codec.h"

namespace ktstr::vmcore {

namespace {

// What a page takes up at most: some compressors make what does not compress a little larger.
constexpr uint32_t kMostOfPage = 2 * kPageSize;
// A page frame number takes up less than 2^40 in archives, and so many pages none.
constexpr uint64_t kMostPages = uint64_t{1} << 32;

// A bit per page frame, and how many are set before each word of 512.
class PageBits {
 public:
  static Result<PageBits> Read(const DumpFile& dump, uint64_t at, uint64_t pages) {
    PageBits bits;
    bits.pages_ = pages;
    bits.words_.resize((pages + 511) / 512 * 8);
    KTSTR_TRY(
        dump.ReadAt(at, std::as_writable_bytes(std::span(bits.words_)).first((pages + 7) / 8)));
    if (pages % 64 != 0) bits.words_[pages / 64] &= ~uint64_t{0} >> (64 - pages % 64);
    bits.before_.reserve(bits.words_.size() / 8);
    uint64_t count = 0;
    for (size_t i = 0; i < bits.words_.size(); ++i) {
      if (i % 8 == 0) bits.before_.push_back(count);
      count += static_cast<uint64_t>(std::popcount(bits.words_[i]));
    }
    return bits;
  }

  // Takes in those of another set of as many. Not for a set that is asked for ranks.
  void Include(const PageBits& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }
  bool Has(uint64_t page) const {
    return page < pages_ && (words_[page / 64] >> (page % 64) & 1) != 0;
  }
  // How many are set below `page`.
  uint64_t Rank(uint64_t page) const {
    if (page >= pages_) page = pages_;
    const size_t word = page / 64;
    if (word >= words_.size()) return Total();
    uint64_t count = before_[word / 8];
    for (size_t i = word / 8 * 8; i < word; ++i) {
      count += static_cast<uint64_t>(std::popcount(words_[i]));
    }
    if (page % 64 != 0) {
      count += static_cast<uint64_t>(std::popcount(words_[word] << (64 - page % 64)));
    }
    return count;
  }
  std::vector<MemoryRegion> Runs() const {
    std::vector<MemoryRegion> runs;
    for (uint64_t page = 0; page < pages_;) {
      const uint64_t word = words_[page / 64] >> (page % 64);
      if (word == 0) {
        page = (page / 64 + 1) * 64;
        continue;
      }
      page += static_cast<uint64_t>(std::countr_zero(word));
      if (!runs.empty() && runs.back().end == Pfn(page)) {
        runs.back().end = Pfn(page + 1);
      } else {
        runs.push_back({Pfn(page), Pfn(page + 1)});
      }
      ++page;
    }
    return runs;
  }

 private:
  uint64_t Total() const {
    uint64_t count = before_.empty() ? 0 : before_.back();
    for (size_t i = before_.empty() ? 0 : (before_.size() - 1) * 8; i < words_.size(); ++i) {
      count += static_cast<uint64_t>(std::popcount(words_[i]));
    }
    return count;
  }

  uint64_t pages_ = 0;
  std::vector<uint64_t> words_;
  std::vector<uint64_t> before_;
};

class CompressedMemory : public DumpMemory {
 public:
  CompressedMemory(std::vector<KdumpPart> parts, PageBits in_dump,
                   std::vector<MemoryRegion> regions)
      : DumpMemory(std::move(regions)), parts_(std::move(parts)), in_dump_(std::move(in_dump)) {
    for (const KdumpPart& part : parts_) ranks_.push_back(in_dump_.Rank(part.first));
  }

  bool Has(Pfn pfn) const override { return in_dump_.Has(pfn.value()); }

 protected:
  Status ReadPage(Pfn pfn, std::span<std::byte, kPageSize> out) const override {
    size_t part = 0;
    while (part < parts_.size() && pfn.value() >= parts_[part].last) ++part;
    if (part == parts_.size() || pfn.value() < parts_[part].first) {
      return Fail(ErrorCode::kDamaged,
                  fmt::format("no part of the dump has the page at {:#x}", pfn.pa().value()));
    }
    const DumpFile& dump = *parts_[part].dump;
    const uint64_t index = in_dump_.Rank(pfn.value()) - ranks_[part];
    KdumpPage page;
    KTSTR_TRY(dump.ReadAt(parts_[part].descriptors_at + index * sizeof page,
                          std::as_writable_bytes(std::span(&page, 1))));
    if (page.size == 0 || page.size > kMostOfPage) {
      return Fail(ErrorCode::kDamaged, fmt::format("the page at {:#x} says that it takes up {} "
                                                   "bytes",
                                                   pfn.pa().value(), page.size));
    }
    std::array<std::byte, kMostOfPage> bytes;
    const std::span compressed = std::span(bytes).first(page.size);
    KTSTR_TRY(dump.ReadAt(page.offset, compressed));
    auto whole = DecompressPage(page.flags, compressed, out);
    if (!whole) {
      return Fail(std::move(whole).error().Wrap(
          fmt::format("the page at {:#x} is damaged", pfn.pa().value())));
    }
    return {};
  }

 private:
  const std::vector<KdumpPart> parts_;
  const PageBits in_dump_;
  std::vector<uint64_t> ranks_;  // of each part's first page
};

Error Malformed(const std::string& how) { return Error(ErrorCode::kDamaged, how); }

Status CheckHeader(const DumpFile& dump, const KdumpHeader& header) {
  if (header.block_size != static_cast<int32_t>(kPageSize)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("its pages are {} bytes, not {}", header.block_size, kPageSize));
  }
  const std::string_view machine(header.utsname[4],
                                 strnlen(header.utsname[4], sizeof header.utsname[4]));
  if (machine != "x86_64" && !machine.empty()) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("it is of a machine of another kind ({} letters: not x86_64)", machine.size()));
  }
  const uint64_t blocks = dump.file_size() / kPageSize;
  if (header.sub_header_blocks < 1 || static_cast<uint64_t>(header.sub_header_blocks) > blocks ||
      header.bitmap_blocks > blocks || header.bitmap_blocks == 0) {
    return Fail(
        Malformed(fmt::format("it says that it has {} blocks of sub-header and {} of "
                              "bitmaps",
                              header.sub_header_blocks, header.bitmap_blocks)));
  }
  KTSTR_TRY(FindDecompressors(header.status));
  if ((header.status & kKdumpIncomplete) != 0) {
    return Fail(Malformed("it says of itself that it is incomplete: what wrote it had no room"));
  }
  return {};
}

}  // namespace

bool IsKdump(std::span<const std::byte> begin) {
  return begin.size() >= kKdumpSignature.size() &&
         std::memcmp(begin.data(), kKdumpSignature.data(), kKdumpSignature.size()) == 0;
}

Result<KdumpPart> ReadKdumpPart(const DumpFile& dump) {
  KdumpPart part;
  part.dump = &dump;
  KTSTR_TRY(dump.ReadAt(0, std::as_writable_bytes(std::span(&part.header, 1))));
  KTSTR_TRY(CheckHeader(dump, part.header));
  KTSTR_TRY(dump.ReadAt(kPageSize, std::as_writable_bytes(std::span(&part.sub_header, 1))));
  const KdumpSubHeader& sub = part.sub_header;
  const int32_t version = part.header.version;
  part.max_mapnr = version >= kKdumpFirst64 ? sub.max_mapnr_64 : part.header.max_mapnr;
  part.last = part.max_mapnr;
  if (version >= kKdumpFirstSplit && sub.split != 0) {
    part.first = version >= kKdumpFirst64 ? sub.start_pfn_64 : sub.start_pfn;
    part.last = std::min(version >= kKdumpFirst64 ? sub.end_pfn_64 : sub.end_pfn, part.max_mapnr);
  }
  const uint64_t bitmaps = part.header.bitmap_blocks * kPageSize;
  if (part.max_mapnr == 0 || part.max_mapnr > bitmaps * 8 || part.max_mapnr > kMostPages ||
      part.first > part.last) {
    return Fail(
        Malformed(fmt::format("it says that it has {:#x} page frames, and pages {:#x} to "
                              "{:#x} of them",
                              part.max_mapnr, part.first, part.last)));
  }
  part.exists_at = (1 + static_cast<uint64_t>(part.header.sub_header_blocks)) * kPageSize;
  // As crash has it: where one bitmap alone needs more than half of the room, it is the only one.
  const bool two = part.max_mapnr <= bitmaps / 2 * 8;
  part.bitmap_at = part.exists_at + (two ? bitmaps / 2 : 0);
  part.descriptors_at = part.exists_at + bitmaps;
  if (version >= kKdumpFirstNotes && sub.size_note != 0) {
    if (sub.size_note > dump.file_size()) {
      return Fail(Malformed(fmt::format("it says that its notes are {} bytes", sub.size_note)));
    }
    part.notes.resize(sub.size_note);
    KTSTR_TRY(dump.ReadAt(sub.offset_note, part.notes));
  }
  return part;
}

Result<std::unique_ptr<DumpMemory>> KdumpMemory(std::vector<KdumpPart> parts) {
  std::ranges::sort(parts, {}, &KdumpPart::first);
  uint64_t next = 0;
  for (const KdumpPart& part : parts) {
    if (part.max_mapnr != parts.front().max_mapnr || part.first != next) {
      return Fail(Malformed(fmt::format(
          "{} goes on at page frame {:#x} of {:#x}, not at {:#x}: it is one of several, of which "
          "another is missing or not of the same dump",
          part.dump->name(), part.first, part.max_mapnr, next)));
    }
    next = part.last;
  }
  if (next != parts.front().max_mapnr) {
    return Fail(
        Malformed(fmt::format("it ends at page frame {:#x} of {:#x}: another part of it is "
                              "missing",
                              next, parts.front().max_mapnr)));
  }
  const KdumpPart& first = parts.front();
  PageBits exist = KTSTR_TRY(PageBits::Read(*first.dump, first.exists_at, first.max_mapnr));
  PageBits in_dump = KTSTR_TRY(PageBits::Read(*first.dump, first.bitmap_at, first.max_mapnr));
  exist.Include(in_dump);
  std::vector<MemoryRegion> regions = exist.Runs();
  return std::unique_ptr<DumpMemory>(
      new CompressedMemory(std::move(parts), std::move(in_dump), std::move(regions)));
}

}  // namespace ktstr::vmcore
