#include "replay/vmcore/export_plan.h"

namespace ktstr::vmcore {

Result<uint64_t> WriteRaw(const FrozenMachine& machine, const ExportPlan& plan,
                          ExportTarget& target, const ExportOptions& options) {
  ExportProgress progress(plan, options);
  for (const ExportPlan::Run& run : plan.runs) {
    if (run.zero) {
      KTSTR_TRY(progress.Add(run.pages.page_count()));
      continue;
    }
    for (Pfn pfn = run.pages.begin; pfn < run.pages.end; pfn = pfn + 1) {
      const PageView view = KTSTR_TRY(ViewForExport(machine, pfn));
      KTSTR_TRY(target.Put(pfn.pa().value(), view.bytes()));
      KTSTR_TRY(progress.Add(1));
    }
  }
  return machine.memory().end().value();
}

}  // namespace ktstr::vmcore
