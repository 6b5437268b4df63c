#include "libcore/walk/memory/page_classes.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "libcore/base/side_thread.h"
#include "libcore/walk/memory/pcp_lists.h"

namespace ktstr {

// One pass over the struct pages of each part of a region, in ascending order, since what a page is
// can depend on pages before it:
// - The first page of a free block of the buddy allocator has a page type of its own and the
//   block's order in `private` (mm/page_alloc.c). The block covers the 2^order frames from there;
//   its other pages have no mark, and are free if they have no user either. Blocks in the CPUs' own
//   lists (pcp_lists.h) are handled alike.
// - A tail page of a compound one leads to the first page, and is what that one is.
// - Every other page is classified by its own flags, type and mapping (include/linux/page-flags.h).
//
// Parts begin where the largest blocks of the buddy allocator may, so that none lies in two. Tails
// of a compound page that began in a part before (a hugetlb page of 1 GiB) are left for the end. It
// begins on a multiple of its size, which is more than a part's, so that it is a part's first page.
//
// A guest may be stopped while it changes any of these. Whatever does not prove that a page is none
// of the kernel's keeps the page.

namespace {

// The low bits of page->mapping (include/linux/page-flags.h): anonymous memory (with bit 1: merged
// by KSM), and, alone, bit 1 for a driver's movable page.
constexpr uint64_t kMappingAnonymous = 1;
constexpr uint64_t kMappingFlags = 3;
constexpr uint32_t kUnmapped = UINT32_MAX;  // page_type of a page without a type or a mapping
// Struct pages that are read at once: a page of them, as they are usually laid out.
constexpr uint64_t kBatch = 64;
// Runs of far tails in a part: one, if nothing is damaged. More of them are kept.
constexpr size_t kMostFarTails = 64;
// Frames of a part at least: some ten microseconds of work.
constexpr uint64_t kPartPages = 2048;

template <typename T>
T Load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

// One struct page, as bytes, of which further ones may follow.
class PageReader {
 public:
  PageReader(const PageLayout& layout, std::span<const std::byte> bytes)
      : layout_(layout), bytes_(bytes.data()), has_next_(bytes.size() >= 2 * layout.size) {}

  uint64_t flags() const { return Load<uint64_t>(bytes_ + layout_.flags); }
  uint64_t compound_head() const { return Load<uint64_t>(bytes_ + layout_.compound_head); }
  uint64_t mapping() const { return Load<uint64_t>(bytes_ + layout_.mapping); }
  uint64_t private_data() const { return Load<uint64_t>(bytes_ + layout_.private_data); }
  uint32_t type() const { return Load<uint32_t>(bytes_ + layout_.page_type); }
  uint32_t refcount() const { return Load<uint32_t>(bytes_ + layout_.refcount); }
  // Of the first page of a compound one.
  bool is_hugetlb() const {
    if (layout_.hugetlb_type && type() == *layout_.hugetlb_type) return true;
    const auto& destructor = layout_.hugetlb_destructor;
    return destructor && has_next_ && (flags() & layout_.head) != 0 &&
           Load<uint8_t>(bytes_ + layout_.size + destructor->offset) == destructor->value;
  }

 private:
  const PageLayout& layout_;
  const std::byte* bytes_;
  bool has_next_;
};

// What is found out of the frames of one region. Parts of it are written by different threads.
struct RegionMarks {
  explicit RegionMarks(const MemoryRegion& frames)
      : region(frames), reasons(frames.page_count(), LeftOutReason::kNone) {}

  MemoryRegion region;
  std::vector<LeftOutReason> reasons;
};

// Tails of a compound page that began in a part before.
struct FarTails {
  Pfn begin, end;
  Pfn head;
};

struct Part {
  RegionMarks* marks;
  Pfn begin, end;
  bool begins_with_head = false;         // of a compound page
  std::vector<FarTails> far_tails = {};  // no more than kMostFarTails
  uint64_t unreadable_pages = 0;
};

// Classifies the frames of one part in ascending order.
class Classifier {
 public:
  Classifier(const GuestKernel& kernel, const PageLayout& layout, const MemoryMap& map,
             const std::vector<FreeBlock>& pcp, Part& part)
      : kernel_(kernel),
        layout_(layout),
        map_(map),
        part_(part),
        marks_(*part.marks),
        pcp_(pcp),
        next_pcp_(std::lower_bound(pcp.begin(), pcp.end(), part.begin,
                                   [](const FreeBlock& b, Pfn pfn) { return b.first < pfn; })),
        is_head_(part.end - part.begin),
        buffer_(kBatch * layout.size) {}

  void Run() {
    for (Pfn at = part_.begin; at < part_.end;) {
      const Pfn batch_end(std::min(part_.end.value(), (at.value() / kBatch + 1) * kBatch));
      // A section is a multiple of a batch.
      if (map_.Has(at)) RunBatch(at, batch_end - at);
      at = batch_end;
    }
    part_.begins_with_head = is_head_[0];
  }

 private:
  void RunBatch(Pfn first, uint64_t count) {
    const auto bytes = std::span(buffer_).first(count * layout_.size);
    if (!kernel_.Read(map_.PageOf(first), bytes)) {
      part_.unreadable_pages += count;
      return;
    }
    for (uint64_t i = 0; i < count; ++i) {
      const Pfn pfn = first + i;
      marks_.reasons[pfn - marks_.region.begin] =
          Classify(pfn, PageReader(layout_, bytes.subspan(i * layout_.size)));
    }
  }

  LeftOutReason Classify(Pfn pfn, const PageReader& page) {
    const auto head = PageLayout::HeadOf(map_.PageOf(pfn), page.compound_head());
    if (head) return AsHead(pfn, *head);
    const uint32_t type = page.type();
    if (type == layout_.buddy_type) StartBlock(pfn, page.private_data());
    StartPcpBlock(pfn);
    const uint64_t flags = page.flags();
    if (pfn < free_end_ && IsUnused(page, flags)) return LeftOutReason::kFree;
    const LeftOutReason reason = OfUsed(page, type, flags);
    is_head_[pfn - part_.begin] = (flags & layout_.head) != 0;
    return reason;
  }

  // All pages of a compound one are what the first is.
  LeftOutReason AsHead(Pfn pfn, Kva page) {
    const auto head = map_.FrameOf(page);
    if (!head) return LeftOutReason::kNone;
    if (part_.begin <= *head) {
      const bool known = *head < pfn && is_head_[*head - part_.begin];
      return known ? marks_.reasons[*head - marks_.region.begin] : LeftOutReason::kNone;
    }
    auto& tails = part_.far_tails;
    if (tails.empty() || tails.back().end != pfn || tails.back().head != *head) {
      if (tails.size() == kMostFarTails) return LeftOutReason::kNone;
      tails.push_back({pfn, pfn, *head});
    }
    tails.back().end = pfn + 1;
    return LeftOutReason::kNone;
  }

  // A block of 2^order frames begins on a multiple of that, and is smaller than orders allows.
  void StartBlock(Pfn pfn, uint64_t order) {
    if (order >= layout_.orders || order >= 32) return;
    const uint64_t pages = uint64_t{1} << order;
    if (pfn.value() % pages == 0) free_end_ = std::max(free_end_, pfn + pages);
  }

  void StartPcpBlock(Pfn pfn) {
    for (; next_pcp_ != pcp_.end() && next_pcp_->first <= pfn; ++next_pcp_) {
      if (next_pcp_->first == pfn) StartBlock(pfn, next_pcp_->order);
    }
  }

  // Whether this page of a free block has no user: every other page has, or is the tail of one that
  // has. A block that is wrong about its size ends where pages have a user.
  bool IsUnused(const PageReader& page, uint64_t flags) const {
    const uint32_t type = page.type();
    const uint64_t in_use = layout_.kept | layout_.lru | layout_.head;
    return page.refcount() == 0 && (flags & in_use) == 0 &&
           (type == kUnmapped || type == layout_.buddy_type);
  }

  LeftOutReason OfUsed(const PageReader& page, uint32_t type, uint64_t flags) const {
    if ((flags & layout_.kept) != 0) return LeftOutReason::kNone;
    if (page.is_hugetlb()) return LeftOutReason::kUserData;
    // Types are negative as a count of mappings, and so is a count that makes no sense.
    if (static_cast<int32_t>(type) < -1) return LeftOutReason::kNone;
    const uint64_t mapping = page.mapping();
    const bool on_lru = (flags & layout_.lru) != 0;
    if ((mapping & kMappingAnonymous) != 0) {
      return on_lru || type != kUnmapped ? LeftOutReason::kUserData : LeftOutReason::kNone;
    }
    // A driver may give its own pages a mapping (perf's buffers), but not put them on the LRU
    // lists.
    const bool of_file = (mapping & kMappingFlags) == 0 && static_cast<int64_t>(mapping) < 0;
    if (!of_file || !on_lru) return LeftOutReason::kNone;
    return (flags & layout_.swapbacked) != 0 ? LeftOutReason::kUserData : LeftOutReason::kPageCache;
  }

  const GuestKernel& kernel_;
  const PageLayout& layout_;
  const MemoryMap& map_;
  Part& part_;
  RegionMarks& marks_;
  const std::vector<FreeBlock>& pcp_;                // by frame
  std::vector<FreeBlock>::const_iterator next_pcp_;  // the first that was not met yet
  Pfn free_end_;                                     // the present block of free pages ends there
  std::vector<bool> is_head_;                        // the first pages of compound ones
  std::vector<std::byte> buffer_;
};

// How many of the bytes are what the first is.
uint64_t CountAlike(const std::byte* bytes, uint64_t count) {
  constexpr uint64_t kStep = 256;
  uint64_t alike = 1;
  while (count - alike >= kStep && std::memcmp(bytes, bytes + alike, kStep) == 0) alike += kStep;
  while (alike < count && bytes[alike] == bytes[0]) ++alike;
  return alike;
}

// No block of the buddy allocator lies in two of them.
std::vector<Part> PartsOf(std::span<RegionMarks> regions, const PageLayout& layout) {
  const uint64_t largest = uint64_t{1} << (std::clamp<uint64_t>(layout.orders, 1, 32) - 1);
  const uint64_t step = std::max(kPartPages, largest);
  std::vector<Part> parts;
  for (RegionMarks& marks : regions) {
    for (Pfn at = marks.region.begin; at < marks.region.end;) {
      const Pfn end(std::min(marks.region.end.value(), (at.value() / step + 1) * step));
      parts.push_back({&marks, at, end});
      at = end;
    }
  }
  return parts;
}

void SettleFarTails(std::span<const Part> parts) {
  for (const Part& part : parts) {
    for (const auto& [begin, end, head] : part.far_tails) {
      const auto first = std::ranges::lower_bound(parts, head, {}, &Part::begin);
      if (first == parts.end() || first->begin != head || first->marks != part.marks ||
          !first->begins_with_head) {
        continue;
      }
      auto& [region, reasons] = *part.marks;
      std::fill_n(reasons.begin() + static_cast<ptrdiff_t>(begin - region.begin), end - begin,
                  reasons[head - region.begin]);
    }
  }
}

}  // namespace

Result<PageClasses> PageClasses::Read(const GuestKernel& kernel) {
  return Read(kernel, KTSTR_TRY(PageLayout::Of(kernel)));
}

Result<PageClasses> PageClasses::Read(const GuestKernel& kernel, const PageLayout& layout) {
  const MemoryMap map = KTSTR_TRY(MemoryMap::Of(kernel, layout.size));
  std::vector<FreeBlock> pcp = FindPcpBlocks(kernel, layout, map);
  std::sort(pcp.begin(), pcp.end(),
            [](const FreeBlock& a, const FreeBlock& b) { return a.first < b.first; });
  std::vector<RegionMarks> regions;
  for (const MemoryRegion& region : kernel.memory().regions()) regions.emplace_back(region);
  std::vector<Part> parts = PartsOf(regions, layout);
  std::atomic<size_t> next = 0;
  InThreads(std::min(parts.size(), MemoryThreads()), [&] {
    for (size_t i = next++; i < parts.size(); i = next++) {
      Classifier(kernel, layout, map, pcp, parts[i]).Run();
    }
  });
  PageClasses classes;
  SettleFarTails(parts);
  for (const Part& part : parts) classes.unreadable_pages_ += part.unreadable_pages;
  for (RegionMarks& marks : regions) {
    classes.regions_.push_back({marks.region, std::move(marks.reasons)});
  }
  return classes;
}

LeftOutReason PageClasses::Of(Pfn pfn) const {
  for (const Region& region : regions_) {
    if (region.frames.Contains(pfn)) return region.reasons[pfn - region.frames.begin];
  }
  return LeftOutReason::kNone;
}

AlikePages PageClasses::AlikeFrom(Pfn first, uint64_t most) const {
  for (const Region& region : regions_) {
    if (!region.frames.Contains(first)) continue;
    const std::byte* const reasons = std::as_bytes(std::span(region.reasons)).data();
    const uint64_t begin = first - region.frames.begin;
    const uint64_t end = begin + std::min(most, region.frames.end - first);
    return {region.reasons[begin], CountAlike(reasons + begin, end - begin)};
  }
  return {LeftOutReason::kNone, 1};
}

}  // namespace ktstr
