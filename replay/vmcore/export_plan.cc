#include "replay/vmcore/export_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "libcore/image/vmcoreinfo.h"

namespace ktstr::vmcore {

namespace {

void AddRun(ExportPlan& plan, Pfn begin, Pfn end, bool zero) {
  (zero ? plan.zero_pages : plan.present_pages) += end - begin;
  std::vector<ExportPlan::Run>& runs = plan.runs;
  if (!runs.empty() && runs.back().pages.end == begin && runs.back().zero == zero) {
    runs.back().pages.end = end;
  } else {
    runs.push_back({{begin, end}, zero});
  }
}

void AddAbsent(ExportPlan& plan, Pfn pfn, const PageRecord& record) {
  ++plan.absent_pages;
  std::vector<AbsentPages>& absent = plan.own.absent;
  if (!absent.empty() && absent.back().pages.end == pfn && absent.back().fate == record.fate &&
      absent.back().reason == record.reason) {
    absent.back().pages.end = pfn + 1;
  } else {
    absent.push_back({{pfn, pfn + 1}, record.fate, record.reason});
  }
}

void PlanPages(const ArchiveReader& archive, ExportPlan& plan) {
  for (const MemoryRegion& region : archive.regions()) {
    for (Pfn pfn = region.begin; pfn < region.end;) {
      const Pfn next = std::min(archive.NextNotZero(pfn), region.end);
      if (pfn < next) AddRun(plan, pfn, next, true);
      if (next == region.end) break;
      const PageRecord record = archive.Lookup(next);
      if (record.fate == PageFate::kPresent || record.fate == PageFate::kZero) {
        AddRun(plan, next, next + 1, record.fate == PageFate::kZero);
      } else {
        AddAbsent(plan, next, record);
      }
      pfn = next + 1;
    }
  }
}

// The note's text as it stands in memory; empty where it cannot be read.
std::string TextOf(const GuestMemory& memory, const Vmcoreinfo& note) {
  std::string text(kPageSize, '\0');
  const size_t in_page = kPageSize - note.pa().page_offset();
  auto bytes = std::as_writable_bytes(std::span(text));
  if (!memory.Read(note.pa(), bytes.first(in_page))) return "";
  // As the note is read (Vmcoreinfo::ReadAt): it may run into the next page, or end before.
  if (in_page < text.size() && text.find('\0') >= in_page) {
    if (!memory.Read(note.pa() + in_page, bytes.subspan(in_page))) text.resize(in_page);
  }
  text.resize(std::min(text.find('\0'), text.size()));
  return text;
}

// Where the kernel's note says that it is.
void PlanUtsname(const GuestKernel& kernel, ExportPlan& plan) {
  const auto& note = kernel.vmcoreinfo();
  const auto space = note ? note->Symbol("init_uts_ns") : std::nullopt;
  const auto offset = note ? note->Get("OFFSET(uts_namespace.name)") : std::nullopt;
  uint64_t into = 0;
  if (!space || !offset ||
      std::from_chars(offset->data(), offset->data() + offset->size(), into).ec != std::errc()) {
    return;
  }
  std::array<std::byte, kUtsnameSize> name;
  if (into < kPageSize && kernel.Read(*space + into, name)) plan.utsname = name;
}

void PlanKernel(const GuestKernel& kernel, ExportPlan& plan, std::vector<std::string>* warnings) {
  plan.page_offset = kernel.page_offset();
  plan.phys_base = kernel.phys_base();
  PlanUtsname(kernel, plan);
  const auto begin = kernel.symbol_kva("_text"), end = kernel.symbol_kva("_end");
  constexpr uint64_t kMostText = uint64_t{1} << 30;
  if (begin && end && *begin < *end && *end - *begin <= kMostText) {
    plan.text = ExportPlan::Text{*begin, *end, kernel.text_kva_to_pa(*begin)};
  }
  if (kernel.vmcoreinfo()) plan.vmcoreinfo = TextOf(kernel.memory(), *kernel.vmcoreinfo());
  if (plan.vmcoreinfo.empty()) {
    warnings->push_back("the kernel has no VMCOREINFO: crash and drgn may not find it in the dump");
  }
}

}  // namespace

std::vector<MemoryRegion> ExportPlan::Segments() const {
  std::vector<MemoryRegion> segments;
  for (const Run& run : runs) {
    if (!segments.empty() && segments.back().end == run.pages.begin) {
      segments.back().end = run.pages.end;
    } else {
      segments.push_back(run.pages);
    }
  }
  return segments;
}

ExportPlan PlanExport(FrozenMachine& machine, std::vector<std::string>* warnings) {
  const ArchiveReader& archive = machine.archive();
  ExportPlan plan;
  plan.own.metadata = archive.metadata();
  plan.own.metadata.parent_digest = archive.digest();
  plan.own.vcpus.assign(archive.vcpus().begin(), archive.vcpus().end());
  plan.own.regions.assign(archive.regions().begin(), archive.regions().end());
  PlanPages(archive, plan);
  const auto kernel = machine.Kernel();
  if (kernel) {
    PlanKernel(**kernel, plan, warnings);
  } else {
    warnings->push_back(
        "no kernel was found, so the dump has no VMCOREINFO and no virtual "
        "addresses: " +
        kernel.error().ToString());
  }
  return plan;
}

Result<PageView> ViewForExport(const FrozenMachine& machine, Pfn pfn) {
  PageView view = machine.memory().View(pfn);
  if (view.readable()) return view;
  return Fail(
      ErrorCode::kDamaged,
      fmt::format("{}: the page at {:#x} is damaged; 'ktstr-replay salvage' makes an archive "
                  "of what is whole",
                  machine.archive().path(), pfn.pa().value()));
}

Status ExportProgress::Add(uint64_t pages) {
  constexpr uint64_t kStep = 4096;
  done_ += pages;
  if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) {
    return Fail(ErrorCode::kInterrupted, "the export was interrupted");
  }
  if (options_.progress && (done_ - told_ >= kStep || done_ == all_)) {
    told_ = done_;
    options_.progress(done_, all_);
  }
  return {};
}

}  // namespace ktstr::vmcore
