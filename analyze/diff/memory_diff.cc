#include "analyze/diff/memory_diff.h"

#include <algorithm>
#include <cstring>
#include <future>
#include <optional>
#include <set>
#include <thread>

#include "libcore/base/side_thread.h"

namespace ktstr {

namespace {

constexpr size_t kWord = 8;  // bytes that are named together

// Bytes that differ in a word.
uint64_t DifferingBytes(const std::byte* before, const std::byte* after) {
  uint64_t count = 0;
  for (size_t i = 0; i < kWord; ++i) count += before[i] != after[i] ? 1 : 0;
  return count;
}

std::string FateText(const PageView& page) {
  if (page.fate() != PageFate::kNotCaptured) return std::string(PageFateName(page.fate()));
  return "left out, " + std::string(LeftOutReasonName(page.left_out_reason()));
}

class Comparison {
 public:
  Comparison(const GuestMemory& before, const GuestMemory& after, const PageContents& contents)
      : before_(before), after_(after), contents_(contents) {}

  void Run(Pfn begin, Pfn end) {
    const MemoryRegion* other = nullptr;
    for (Pfn pfn = begin; pfn < end; pfn = pfn + 1) {
      // Pages that are zero in both, by the dozen.
      if (other == nullptr || !other->Contains(pfn)) other = before_.FindRegion(pfn);
      if (other != nullptr) {
        const Pfn next =
            std::min({end, after_.NextTouched(pfn), std::max(pfn, before_.NextTouched(pfn))});
        found_.same += next - pfn;
        pfn = next;
        if (pfn == end) return;
      }
      Compare(pfn);
    }
  }

  MemoryDifference Take() && { return std::move(found_); }

 private:
  void Compare(Pfn pfn) {
    const PageView before = before_.View(pfn), after = after_.View(pfn);
    if (!before.readable() || !after.readable()) {
      ++found_.not_comparable;
      ++found_.not_comparable_by_fate[FateText(before.readable() ? after : before)];
    } else if (before.data() == after.data() ||
               std::memcmp(before.data(), after.data(), kPageSize) == 0) {
      ++found_.same;
    } else {
      ++found_.changed;
      found_.was_zero += before.fate() == PageFate::kZero ? 1 : 0;
      found_.became_zero += after.fate() == PageFate::kZero ? 1 : 0;
      NameWhatDiffers(pfn, before.data(), after.data());
    }
  }

  void NameWhatDiffers(Pfn pfn, const std::byte* before, const std::byte* after) {
    std::set<std::string> kinds;
    std::optional<Content> of_page;
    for (size_t at = 0; at < kPageSize; at += kWord) {
      if (std::memcmp(before + at, after + at, kWord) == 0) continue;
      std::optional<Content> content = contents_.At(pfn.pa() + at);
      if (!content) {
        if (!of_page) of_page = contents_.OfPage(pfn);
        content = of_page;
      }
      const std::string kind(content->kind);
      kinds.insert(kind);
      found_.bytes_by_content[{kind, content->name}] += DifferingBytes(before + at, after + at);
    }
    for (const std::string& kind : kinds) ++found_.pages_by_kind[kind];
  }

  const GuestMemory &before_, &after_;
  const PageContents& contents_;
  MemoryDifference found_;
};

void AddTo(MemoryDifference& sum, const MemoryDifference& part) {
  sum.same += part.same;
  sum.changed += part.changed;
  sum.not_comparable += part.not_comparable;
  sum.was_zero += part.was_zero;
  sum.became_zero += part.became_zero;
  for (const auto& [fate, pages] : part.not_comparable_by_fate) {
    sum.not_comparable_by_fate[fate] += pages;
  }
  for (const auto& [kind, pages] : part.pages_by_kind) sum.pages_by_kind[kind] += pages;
  for (const auto& [content, bytes] : part.bytes_by_content) sum.bytes_by_content[content] += bytes;
}

// A second thread where there is a second CPU; more would fight for the frames' cache.
int ThreadCount() { return std::thread::hardware_concurrency() > 1 ? 2 : 1; }

}  // namespace

MemoryDifference CompareMemory(const GuestMemory& before, const GuestMemory& after,
                               const PageContents& contents) {
  MemoryDifference sum;
  const int threads = ThreadCount();
  for (const MemoryRegion& region : after.regions()) {
    std::vector<std::future<MemoryDifference>> parts;
    for (int i = 0; i < threads; ++i) {
      const Pfn begin = region.begin + region.page_count() * i / threads;
      const Pfn end = region.begin + region.page_count() * (i + 1) / threads;
      parts.push_back(Beside([&, begin, end] {
        Comparison comparison(before, after, contents);
        comparison.Run(begin, end);
        return std::move(comparison).Take();
      }));
    }
    for (auto& part : parts) AddTo(sum, part.get());
  }
  // Memory that only the first archive has.
  for (const MemoryRegion& region : before.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end; pfn = pfn + 1) {
      if (after.FindRegion(pfn) != nullptr) continue;
      ++sum.not_comparable;
      ++sum.not_comparable_by_fate[FateText(PageView::Outside())];
    }
  }
  return sum;
}

}  // namespace ktstr
