#include "libcore/archive/page_table.h"

#include <fmt/format.h>

#include "libcore/archive/bytes.h"

namespace ktstr::archive {

namespace {

constexpr uint64_t kMaxReason = 255;

// Reads one run after another, keeping count of pages and stored pages.
class RunDecoder {
 public:
  RunDecoder(ByteSource& source, uint64_t page_count, uint64_t stored_pages,
             std::vector<Relocation>& relocations)
      : source_(source),
        page_count_(page_count),
        stored_pages_(stored_pages),
        relocations_(relocations) {}

  uint64_t pages() const { return pages_; }
  uint64_t stored() const { return stored_; }

  // nullptr, or what is wrong with this run.
  const char* Next(PageRun& run) {
    const uint64_t head = source_.GetVarint();
    if (!source_.ok()) return "is cut off";
    const uint64_t beyond_first = head >> 3;
    if (beyond_first >= page_count_ - pages_) return "goes beyond the end of memory";
    const uint64_t pages = beyond_first + 1;
    run.first = static_cast<uint32_t>(pages_);
    run.kind = static_cast<RunKind>(head & 7);
    pages_ += pages;
    switch (run.kind) {
      case RunKind::kStored:
        if (pages > stored_pages_ - stored_) return "has more stored pages than there are";
        run.stored = static_cast<uint32_t>(stored_);
        stored_ += pages;
        return nullptr;
      case RunKind::kZero:
      case RunKind::kDamaged:
        return nullptr;
      case RunKind::kSame:
        return Refer(run, 1);
      case RunKind::kSequence:
        return Refer(run, pages);
      case RunKind::kRelocated: {
        if (const char* wrong = Refer(run, 1)) return wrong;
        const std::optional<Relocation> relocation = GetRelocation(pages, source_);
        if (!relocation) return "has no valid addresses";
        run.relocation = static_cast<uint32_t>(relocations_.size());
        relocations_.push_back(*relocation);
        return nullptr;
      }
      case RunKind::kLeftOut: {
        const uint64_t reason = source_.GetVarint();
        if (reason == 0 || reason > kMaxReason) return "has no valid reason";
        run.reason = static_cast<LeftOutReason>(reason);
        return nullptr;
      }
    }
    return "is of no known kind";
  }

 private:
  const char* Refer(PageRun& run, uint64_t pages) {
    const uint64_t back = source_.GetVarint();
    if (!source_.ok()) return "is cut off";
    if (back >= stored_) return "refers to a stored page that does not exist";
    const uint64_t target = stored_ - 1 - back;
    if (pages > stored_ - target) return "refers to stored pages that do not exist";
    run.stored = static_cast<uint32_t>(target);
    return nullptr;
  }

  ByteSource& source_;
  const uint64_t page_count_;
  const uint64_t stored_pages_;
  std::vector<Relocation>& relocations_;
  uint64_t pages_ = 0;
  uint64_t stored_ = 0;
};

}  // namespace

Result<PageTable> PageTable::Decode(std::span<const std::byte> bytes, uint64_t page_count,
                                    uint64_t stored_pages) {
  ByteSource source(bytes);
  const uint64_t run_count = source.Get<uint64_t>();
  if (!source.ok() || run_count > source.left()) {
    return Fail(ErrorCode::kDamaged, "the page table says more runs than it has bytes");
  }
  PageTable table;
  table.page_count_ = page_count;
  table.runs_.resize(run_count);
  RunDecoder decoder(source, page_count, stored_pages, table.relocations_);
  for (uint64_t i = 0; i < run_count; ++i) {
    if (const char* wrong = decoder.Next(table.runs_[i])) {
      return Fail(ErrorCode::kDamaged, fmt::format("run {} of the page table {}", i, wrong));
    }
  }
  if (source.left() != 0) {
    return Fail(ErrorCode::kDamaged, "the page table goes on after its last run");
  }
  if (decoder.pages() != page_count || decoder.stored() != stored_pages) {
    return Fail(
        ErrorCode::kDamaged,
        fmt::format("the page table covers {} pages and {} stored pages, where there are {} and {}",
                    decoder.pages(), decoder.stored(), page_count, stored_pages));
  }
  table.BuildIndex();
  return table;
}

void PageTable::BuildIndex() {
  if (runs_.empty()) return;
  // No more blocks than runs: the index stays in proportion to the file, however large memory is.
  while ((page_count_ >> block_shift_) > runs_.size()) ++block_shift_;
  const uint64_t blocks = ((page_count_ - 1) >> block_shift_) + 1;
  block_run_.reserve(blocks + 1);
  size_t run = 0;
  for (uint64_t block = 0; block < blocks; ++block) {
    while (EndOf(run) <= block << block_shift_) ++run;
    block_run_.push_back(static_cast<uint32_t>(run));
  }
  block_run_.push_back(static_cast<uint32_t>(runs_.size() - 1));
}

uint64_t PageTable::NextNotZero(uint64_t index) const {
  for (size_t run = FindRun(index); run < runs_.size(); ++run) {
    if (runs_[run].kind != RunKind::kZero) return std::max<uint64_t>(index, runs_[run].first);
  }
  return page_count_;
}

}  // namespace ktstr::archive
