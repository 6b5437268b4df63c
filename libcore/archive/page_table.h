// The page table in memory: what became of each page of RAM, kept as sorted runs with a coarse
// index, so that it costs as much as the runs do, and a lookup is a few steps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/archive/format.h"
#include "libcore/archive/relocation.h"
#include "libcore/base/result.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

// Pages [first, first of the next run).
struct PageRun {
  uint32_t first = 0;   // page index, see RegionMap
  uint32_t stored = 0;  // the (first) stored page, where the kind has one
  RunKind kind = RunKind::kZero;
  LeftOutReason reason = LeftOutReason::kNone;
  uint32_t relocation = 0;  // of kRelocated: index into the table's relocations
};

class PageTable {
 public:
  PageTable() = default;

  // Decodes the section PAGE. The runs must cover exactly `page_count` pages and take up exactly
  // `stored_pages` stored pages. Allocates in proportion to `bytes`. Errors: kDamaged.
  static Result<PageTable> Decode(std::span<const std::byte> bytes, uint64_t page_count,
                                  uint64_t stored_pages);

  // The run that holds page `index` (below page_count()).
  const PageRun& Find(uint64_t index) const { return runs_[FindRun(index)]; }
  // The first page at or after `index` (below page_count()) that is not a zero page; page_count()
  // when there is none.
  uint64_t NextNotZero(uint64_t index) const;

  uint64_t page_count() const { return page_count_; }
  std::span<const PageRun> runs() const { return runs_; }
  // The stored page of page `index`, which is in `run`, where the kind has one.
  static uint64_t StoredPageOf(const PageRun& run, uint64_t index) {
    const bool ascends = run.kind == RunKind::kStored || run.kind == RunKind::kSequence;
    return run.stored + (ascends ? index - run.first : 0);
  }
  // Of page `index`, which is in `run`, one of kRelocated.
  Relocation RelocationOf(const PageRun& run, uint64_t index) const {
    return relocations_[run.relocation].Further(index - run.first);
  }
  // One past the last page of run `run`.
  uint64_t EndOf(size_t run) const {
    return run + 1 < runs_.size() ? runs_[run + 1].first : page_count_;
  }

 private:
  size_t FindRun(uint64_t index) const {
    const uint64_t block = index >> block_shift_;
    size_t low = block_run_[block];
    size_t high = block_run_[block + 1];
    while (low < high) {
      const size_t middle = (low + high + 1) / 2;
      if (runs_[middle].first <= index) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    return low;
  }
  void BuildIndex();

  std::vector<PageRun> runs_;
  std::vector<Relocation> relocations_;  // of the first page of each run of kRelocated
  // For each block of 2^block_shift_ pages the run that holds its first page; then the last run.
  std::vector<uint32_t> block_run_;
  int block_shift_ = 9;
  uint64_t page_count_ = 0;
};

}  // namespace ktstr::archive
