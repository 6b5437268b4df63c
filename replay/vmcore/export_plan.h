// What an export is going to hold, known before a page is read; and the pages, one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libcore/base/result.h"
#include "replay/vmcore/core_notes.h"
#include "replay/vmcore/export.h"

namespace ktstr::vmcore {

// Of struct new_utsname (include/uapi/linux/utsname.h): six strings of 65 bytes.
inline constexpr size_t kUtsnameSize = 390;

struct ExportPlan {
  // Pages with bytes, as runs, ascending; neighbours differ in whether they are zero.
  struct Run {
    MemoryRegion pages;
    bool zero = false;
  };
  // The kernel's text, data and bss: [begin, end) as it maps them linearly from `pa` on.
  struct Text {
    Kva begin, end;
    Pa pa;
  };

  std::vector<Run> runs;
  OwnNotes own;
  std::string vmcoreinfo;          // empty when there is none
  std::optional<Kva> page_offset;  // of the direct map; nothing when no kernel was found
  std::optional<Text> text;
  uint64_t phys_base = 0;
  // struct new_utsname as the kernel has it; readers of kdump files believe in one whose strings
  // are all there. Nothing when it is not known.
  std::optional<std::array<std::byte, kUtsnameSize>> utsname;
  uint64_t present_pages = 0, zero_pages = 0, absent_pages = 0;

  // Runs of pages with bytes, zero or not.
  std::vector<MemoryRegion> Segments() const;
};

// Looks at the archive and its kernel. `warnings` gets what is missing.
ExportPlan PlanExport(FrozenMachine& machine, std::vector<std::string>* warnings);

// The page's bytes. Errors: kDamaged.
Result<PageView> ViewForExport(const FrozenMachine& machine, Pfn pfn);

// Counts pages, tells of them, and ends an export that is not wanted any more.
class ExportProgress {
 public:
  ExportProgress(const ExportPlan& plan, const ExportOptions& options)
      : options_(options), all_(plan.present_pages + plan.zero_pages) {}
  // Errors: kInterrupted.
  Status Add(uint64_t pages);

 private:
  const ExportOptions& options_;
  const uint64_t all_;
  uint64_t done_ = 0, told_ = 0;
};

// Each writes one format, and says how large it is.
Result<uint64_t> WriteElfCore(const FrozenMachine& machine, const ExportPlan& plan,
                              ExportTarget& target, const ExportOptions& options);
Result<uint64_t> WriteKdump(const FrozenMachine& machine, const ExportPlan& plan,
                            ExportTarget& target, const ExportOptions& options);
Result<uint64_t> WriteRaw(const FrozenMachine& machine, const ExportPlan& plan,
                          ExportTarget& target, const ExportOptions& options);

}  // namespace ktstr::vmcore
