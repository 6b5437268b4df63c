#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "libcore/base/side_thread.h"
#include "libcore/image/vmcoreinfo.h"
#include "libcore/memory/touched_pages.h"

namespace ktstr {

namespace {

// struct elf_note header and the name "VMCOREINFO", padded (include/linux/crash_core.h).
constexpr uint64_t kNoteHeaderSize = 0x18;
// More kernels than any memory holds: a guest can fill its own with notes.
constexpr size_t kMaxNotes = 64;
// Pages that are the same as the one before them, or cannot be read as it cannot: 128 GiB. An
// archive needs a few bytes to have 2^32 of them.
constexpr uint64_t kMaxRepeated = uint64_t{1} << 25;

// Looks for notes in parts of memory that threads take one after the other.
class NoteScan {
 public:
  NoteScan(const GuestMemory& memory, std::span<const MemoryRegion> regions,
           const std::function<bool(Pfn)>& skip)
      : memory_(memory), regions_(regions), skip_(skip) {}

  // Until no part is left.
  void Work() {
    while (const auto part = NextPart()) Scan(*part);
  }

  std::vector<Vmcoreinfo> Take() && {
    std::vector<Vmcoreinfo> found;
    for (auto& [lines, note] : notes_) found.push_back(std::move(note));
    std::ranges::sort(found, {}, &Vmcoreinfo::pa);
    return found;
  }

 private:
  // About a millisecond of work.
  static constexpr uint64_t kPartPages = 4096;

  std::optional<MemoryRegion> NextPart() {
    const std::scoped_lock lock(mutex_);
    // What was begun lies before everything else: the first kMaxNotes are in there.
    if (notes_.size() >= kMaxNotes || repeated_ > kMaxRepeated) return std::nullopt;
    for (; region_ < regions_.size(); ++region_) {
      const MemoryRegion& region = regions_[region_];
      Pfn begin = std::max(next_, region.begin);
      if (begin < region.end) begin = memory_.NextTouched(begin);
      if (begin >= region.end) continue;
      next_ = std::min(region.end, begin + kPartPages);
      return MemoryRegion{begin, next_};
    }
    return std::nullopt;
  }

  void Scan(const MemoryRegion& part) {
    TouchedPages touched(memory_);
    const std::byte* previous = nullptr;
    uint64_t repeated = 0;
    for (Pfn pfn = part.begin; pfn < part.end; pfn = pfn + 1) {
      pfn = touched.Next(pfn);
      if (pfn >= part.end) break;
      if (skip_ && skip_(pfn)) continue;
      const PageView page = memory_.View(pfn);
      repeated += page.data() == std::exchange(previous, page.data());
      if (page.readable() && !ScanPage(pfn, page)) break;
    }
    const std::scoped_lock lock(mutex_);
    repeated_ += repeated;
  }

  // False where no page behind it can hold one of the first kMaxNotes.
  bool ScanPage(Pfn pfn, const PageView& page) {
    const std::string_view text(reinterpret_cast<const char*>(page.data()), kPageSize);
    for (const uint64_t offset : {uint64_t{0}, kNoteHeaderSize}) {
      if (text.compare(offset, kVmcoreinfoBegin.size(), kVmcoreinfoBegin) != 0) continue;
      auto note = Vmcoreinfo::ReadAt(memory_, pfn.pa() + offset);
      if (note && !Add(*std::move(note))) return false;
    }
    return true;
  }

  // As ScanPage. Of more than kMaxNotes the last goes: they can be long.
  bool Add(Vmcoreinfo note) {
    const std::scoped_lock lock(mutex_);
    const Pa pa = note.pa();
    Vmcoreinfo& known = notes_.try_emplace(note.lines(), note).first->second;
    if (pa < known.pa()) known = std::move(note);
    if (notes_.size() < kMaxNotes) return true;
    const auto last =
        std::ranges::max_element(notes_, {}, [](const auto& entry) { return entry.second.pa(); });
    const Pa last_pa = last->second.pa();
    if (notes_.size() > kMaxNotes) notes_.erase(last);
    return pa < last_pa;
  }

  const GuestMemory& memory_;
  const std::span<const MemoryRegion> regions_;
  const std::function<bool(Pfn)>& skip_;

  std::mutex mutex_;
  size_t region_ = 0;  // where the next part is
  Pfn next_;           // and where it begins, at the earliest
  uint64_t repeated_ = 0;
  std::map<Vmcoreinfo::Lines, Vmcoreinfo> notes_;  // of those that say the same, the first
};

}  // namespace

std::vector<Vmcoreinfo> Vmcoreinfo::FindIn(const GuestMemory& memory,
                                           std::span<const MemoryRegion> parts,
                                           const std::function<bool(Pfn)>& skip) {
  NoteScan scan(memory, parts, skip);
  InThreads(MemoryThreads(), [&scan] { scan.Work(); });
  return std::move(scan).Take();
}

std::vector<Vmcoreinfo> Vmcoreinfo::FindAll(const GuestMemory& memory) {
  return FindIn(memory, memory.regions(), nullptr);
}

}  // namespace ktstr
