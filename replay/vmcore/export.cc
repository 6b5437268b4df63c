#include "replay/vmcore/export.h"

#include <fmt/format.h>

#include <map>

#include "replay/vmcore/export_plan.h"

namespace ktstr::vmcore {

namespace {

// "113368 free, 900 user data".
std::string AbsentText(const ExportPlan& plan) {
  std::map<std::string_view, uint64_t> counts;
  for (const AbsentPages& run : plan.own.absent) {
    const bool damaged = run.fate == PageFate::kDamaged;
    counts[damaged ? "damaged" : LeftOutReasonName(run.reason)] += run.pages.page_count();
  }
  std::string text;
  for (const auto& [reason, pages] : counts) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", pages, reason);
  }
  return text;
}

}  // namespace

Result<ExportSummary> ExportMachine(FrozenMachine& machine, ExportTarget& target,
                                    const ExportOptions& options) {
  ExportSummary summary;
  const ExportPlan plan = PlanExport(machine, &summary.warnings);
  summary.present_pages = plan.present_pages;
  summary.zero_pages = plan.zero_pages;
  summary.absent_pages = plan.absent_pages;
  if (options.format == ExportFormat::kRaw) {
    if (plan.absent_pages != 0) {
      return Fail(ErrorCode::kUnreadable,
                  fmt::format("{} has not all of the machine's memory ({}), and raw RAM cannot say "
                              "so: export it as elf or kdump",
                              machine.archive().path(), AbsentText(plan)));
    }
    summary.warnings.clear();
    summary.size = KTSTR_TRY(WriteRaw(machine, plan, target, options));
  } else {
    summary.size = options.format == ExportFormat::kElf
                       ? KTSTR_TRY(WriteElfCore(machine, plan, target, options))
                       : KTSTR_TRY(WriteKdump(machine, plan, target, options));
  }
  KTSTR_TRY(target.Finish(summary.size));
  return summary;
}

}  // namespace ktstr::vmcore
