#include "libcore/walk/system/kernels.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace ktstr {

const RowTable<KernelRow>& KernelRow::Table() {
  using R = KernelRow;
  static const RowTable<R> table(
      "kernel",
      "The kernels that memory holds: more than one after a kexec, in a crash kernel, or after a "
      "reset.",
      {
          Col<&R::instance>("instance", "",
                            "Number for --kernel-instance. 1 is the one that most vCPUs run, and "
                            "which is asked when nothing is said."),
          Col<&R::asked>("asked", "", "1 for the one that all other tables are about."),
          Col<&R::state>("state", "",
                         "running; stopped: it has vCPUs, all of which are halted for good; left: "
                         "no vCPU is in it, and parts of it may have been written over."),
          Col<&R::release>("release", "", "As uname says; NULL while its note is not there yet."),
          Col<&R::build_id>("build_id", "", "Its build ID."),
          Col<&R::vcpus>("vcpus", "", "The vCPUs in its page tables, as the VMM counts."),
          Col<&R::phys_base>("phys_base", "",
                             "Physical address of its text, less the text's offset in the mapping "
                             "of the kernel image."),
          Col<&R::crashed_at_s>("crashed_at_s", "s",
                                "When it crashed into its crash kernel, in Unix time; NULL if it "
                                "did not."),
      });
  return table;
}

std::string_view StateOf(const KernelInstance& instance) {
  if (instance.running > 0) return "running";
  return instance.vcpus.empty() ? "left" : "stopped";
}

std::vector<KernelRow> KernelRows(const GuestKernel& kernel) {
  std::vector<KernelRow> rows;
  const auto known = [](const std::string& text) {
    return text.empty() ? std::nullopt : std::optional(text);
  };
  for (const KernelInstance& instance : kernel.instances()) {
    KernelRow row;
    row.instance = int64_t(rows.size() + 1);
    const bool asked = kernel.instance() == rows.size() + 1;
    row.asked = asked ? 1 : 0;
    row.state = StateOf(instance);
    // Of the one that is open more than its note is known.
    row.release = known(asked ? kernel.release() : instance.release);
    row.build_id = known(asked ? kernel.build_id() : instance.build_id);
    row.vcpus = known(fmt::format("{}", fmt::join(instance.vcpus, ",")));
    row.phys_base = Hex(instance.phys_base);
    row.crashed_at_s = instance.crashed_at;
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string KernelsText(const GuestKernel& kernel) {
  if (kernel.instances().size() < 2) return "";
  std::string list;
  for (const KernelRow& row : KernelRows(kernel)) {
    list +=
        fmt::format("{}{} ({}, {}{}{})", list.empty() ? "" : ", ", row.instance,
                    row.release.value_or("release unknown"), row.state,
                    row.crashed_at_s ? ", crashed" : "", row.vcpus ? ", vCPU " + *row.vcpus : "");
  }
  return fmt::format("{} in memory: {}", kernel.instances().size(), list);
}

}  // namespace ktstr
