// Encodes the page table (section PAGE) while pages are given to it one by one, in ascending order.
#pragma once

#include <cstdint>
#include <vector>

#include "libcore/archive/bytes.h"
#include "libcore/archive/format.h"
#include "libcore/archive/relocation.h"
#include "libcore/memory/page.h"

namespace ktstr::archive {

class PageTableBuilder {
 public:
  // The page is the next stored page.
  void AddStored();
  // The page equals stored page `stored`, which was added before.
  void AddDuplicate(uint64_t stored);
  // The page is stored page `stored`, which was added before, at another address.
  void AddRelocated(uint64_t stored, const Relocation& relocation);
  void AddZero(uint64_t pages);
  void AddDamaged();
  void AddLeftOut(LeftOutReason reason, uint64_t pages = 1);

  // The section's payload.
  std::vector<std::byte> Finish() &&;

 private:
  // Begins a run, or makes the open one longer when it is of the same kind and argument.
  void Add(RunKind kind, uint64_t argument, uint64_t pages);
  void CloseRun();

  ByteSink runs_;
  uint64_t run_count_ = 0;
  uint64_t stored_ = 0;  // stored pages so far, the open run's included

  RunKind kind_ = RunKind::kZero;
  uint64_t argument_ = 0;  // the (first) stored page, or the reason
  Relocation relocation_;  // of the open run's first page, where it is one of kRelocated
  uint64_t pages_ = 0;     // of the open run; 0: none is open
};

}  // namespace ktstr::archive
