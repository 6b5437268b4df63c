#include "libcore/walk/system/machine.h"

#include <fmt/format.h>

#include <map>

#include "libcore/kernel/tried_kernels.h"
#include "libcore/walk/code/symbolize.h"
#include "libcore/walk/cpu/crash_note.h"
#include "libcore/walk/cpu/vcpu_of.h"
#include "libcore/walk/system/clock.h"

namespace ktstr {

namespace {

std::optional<std::string> Number(std::optional<int64_t> value) {
  return value ? std::optional(std::to_string(*value)) : std::nullopt;
}

// The methods that gave the chosen KASLR offset.
std::optional<std::string> KaslrMethods(const GuestKernel& kernel) {
  std::string methods;
  for (const Derivation& d : kernel.derivations()) {
    if (d.name != "kaslr_offset" ||
        d.value != fmt::format("{:#x}", kernel.kaslr_offset().value_or(0))) {
      continue;
    }
    methods += methods.empty() ? d.method : ", " + d.method;
  }
  return methods.empty() ? std::nullopt : std::optional(methods);
}

// Whether it runs in memory that a crashed kernel had set aside (is_kdump_kernel,
// include/linux/crash_dump.h): then it was told where that kernel's core header is.
std::optional<std::string> IsCrashKernel(const GuestKernel& kernel) {
  constexpr uint64_t kNone = ~uint64_t{0};  // ELFCORE_ADDR_MAX
  const auto header = kernel.ReadSymbol<uint64_t>("elfcorehdr_addr");
  return header ? std::optional<std::string>(*header == kNone ? "0" : "1") : std::nullopt;
}

// The kernel's number of each vCPU that has one.
std::map<int64_t, int64_t> KernelCpus(const GuestKernel& kernel) {
  std::map<int64_t, int64_t> cpus;
  const auto count = kernel.CpuCount();
  for (uint32_t cpu = 0; count && cpu < *count; ++cpu) {
    if (const VcpuRegisters* vcpu = VcpuOf(kernel, cpu)) cpus.try_emplace(vcpu->cpu, cpu);
  }
  return cpus;
}

}  // namespace

std::string_view VcpuModeName(VcpuMode mode) {
  switch (mode) {
    case VcpuMode::kKernel:
      return "kernel";
    case VcpuMode::kUser:
      return "user";
    case VcpuMode::kHalted:
      return "halted";
  }
  return "unknown";
}

const RowTable<MachineRow>& MachineRow::Table() {
  static const RowTable<MachineRow> table(
      "machine", "The machine, its kernel and its capture.",
      {
          Col<&MachineRow::key>("key", "", "What."),
          Col<&MachineRow::value>("value", "", "Its value, as text."),
      });
  return table;
}

Walked<MachineRow> WalkMachine(const GuestKernel& kernel) {
  Anomalies anomalies("machine");
  const KernelClock clock = ReadKernelClock(kernel, anomalies);
  const auto cmdline = kernel.CommandLine();
  if (!cmdline) anomalies.Add(cmdline.error(), std::nullopt, "reading the command line");
  const auto cpus = kernel.CpuCount();
  const auto kaslr = kernel.kaslr_offset();
  for (const std::string& sentence : kernel.Disagreements()) {
    anomalies.Add("ambiguous", std::nullopt, "methods disagree on " + sentence);
  }
  Walked<MachineRow> walked;
  walked.rows = {
      {"release", kernel.release()},
      {"newer_than_tried", NewerThanTried(kernel.release())},
      {"build_id", kernel.build_id().empty() ? std::nullopt : std::optional(kernel.build_id())},
      {"cmdline", cmdline ? std::optional(*cmdline) : std::nullopt},
      {"arch", "x86_64"},
      {"kaslr_offset", kaslr ? std::optional(ToText(Hex(*kaslr))) : std::nullopt},
      {"kaslr_method", KaslrMethods(kernel)},
      {"phys_base", ToText(Hex(kernel.phys_base()))},
      {"page_offset", ToText(Hex(kernel.page_offset()))},
      {"paging_levels", std::to_string(kernel.paging_levels())},
      {"nr_cpus", cpus ? std::optional(std::to_string(*cpus)) : std::nullopt},
      {"jiffies", Number(clock.jiffies)},
      {"hz", Number(clock.hz)},
      {"uptime_ns", Number(clock.uptime_ns())},
      {"kernels", kernel.all_instances_known()
                      ? std::optional(std::to_string(kernel.instances().size()))
                      : std::nullopt},
      {"kernel_instance", std::to_string(kernel.instance())},
      {"crash_kernel", IsCrashKernel(kernel)},
      {"panic_cpu", Number(PanicCpu(kernel))},
  };
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

const RowTable<DerivationRow>& DerivationRow::Table() {
  using R = DerivationRow;
  static const RowTable<R> table(
      "derivation", "How each number about the kernel was derived, by every method that was tried.",
      {
          Col<&R::name>("name", "", "Which number."),
          Col<&R::method>("method", "", "By which method."),
          Col<&R::value>("value", "", "What the method gave; NULL when it did not apply."),
          Col<&R::chosen>("chosen", "", "1 for the one that is used."),
          Col<&R::note>("note", "", "Why it gave nothing, or what it leans on."),
      });
  return table;
}

std::vector<DerivationRow> DerivationRows(const std::vector<Derivation>& derivations) {
  std::vector<DerivationRow> rows;
  for (const Derivation& d : derivations) {
    rows.push_back({d.name, d.method, d.value.empty() ? std::nullopt : std::optional(d.value),
                    d.chosen ? 1 : 0, d.note});
  }
  return rows;
}

const RowTable<VcpuRow>& VcpuRow::Table() {
  using R = VcpuRow;
  static const RowTable<R> table(
      "vcpu", "The registers of each virtual CPU at the freeze.",
      {
          Col<&R::cpu>("cpu", "", "Number, as the VMM counts."),
          Col<&R::kernel_instance>("kernel_instance", "",
                                   "Which kernel in memory it is in; NULL when in none."),
          Col<&R::kernel_cpu>("kernel_cpu", "",
                              "Number, as the kernel counts that is asked; NULL when it is not "
                              "one of its CPUs."),
          Col<&R::rip>("rip", "", "Instruction pointer."),
          Col<&R::rsp>("rsp", "", "Stack pointer."),
          Col<&R::rflags>("rflags", "", "Flags."),
          Col<&R::cr0>("cr0", "", "Control register 0."),
          Col<&R::cr2>("cr2", "", "Address of the last page fault."),
          Col<&R::cr3>("cr3", "", "Page-table root, with its flag bits."),
          Col<&R::cr4>("cr4", "", "Control register 4; bit 12 is 5-level paging."),
          Col<&R::efer>("efer", "", "Extended feature register."),
          Col<&R::lstar>("lstar", "", "Entry of the syscall instruction; 0 with FRED."),
          Col<&R::gs_base>("gs_base", "", "GS base: in the kernel, this CPU's per-CPU area."),
          Col<&R::kernel_gs_base>("kernel_gs_base", "", "The other GS base, that swapgs brings."),
          Col<&R::mode>("mode", "",
                        "kernel, user or halted. NULL, as other registers are, where the machine "
                        "came from a dump that does not tell."),
          Col<&R::rip_symbol>("rip_symbol", "",
                              "The instruction pointer as symbol+offset, in kernel mode."),
      });
  return table;
}

namespace {

// Those that a dump of another tool's may lack.
void SetSystemRegisters(const VcpuRegisters& vcpu, VcpuRow* row) {
  const auto set = [&vcpu](RegisterGroup group, uint64_t value, std::optional<Hex>* column) {
    if (vcpu.Knows(group)) *column = Hex(value);
  };
  set(RegisterGroup::kControl, vcpu.cr0, &row->cr0);
  set(RegisterGroup::kControl, vcpu.cr2, &row->cr2);
  set(RegisterGroup::kControl, vcpu.cr3, &row->cr3);
  set(RegisterGroup::kControl, vcpu.cr4, &row->cr4);
  set(RegisterGroup::kSystemCalls, vcpu.efer, &row->efer);
  set(RegisterGroup::kSystemCalls, vcpu.lstar, &row->lstar);
  set(RegisterGroup::kGsBase, vcpu.gs.base, &row->gs_base);
  set(RegisterGroup::kKernelGsBase, vcpu.kernel_gs_base, &row->kernel_gs_base);
  if (vcpu.KnowsMode()) row->mode = std::string(VcpuModeName(vcpu.mode()));
}

}  // namespace

std::vector<VcpuRow> VcpuRows(std::span<const VcpuRegisters> vcpus, const GuestKernel* kernel) {
  std::vector<VcpuRow> rows;
  Anomalies ignored("");
  std::optional<TextSymbols> text;
  std::map<int64_t, int64_t> kernel_cpus;
  if (kernel != nullptr) {
    text.emplace(*kernel, WalkLimits(), ignored);
    kernel_cpus = KernelCpus(*kernel);
  }
  for (const VcpuRegisters& vcpu : vcpus) {
    VcpuRow row;
    row.cpu = vcpu.cpu;
    row.rip = Hex(vcpu.rip);
    row.rsp = Hex(vcpu.reg(Gpr::kRsp));
    row.rflags = Hex(vcpu.rflags);
    SetSystemRegisters(vcpu, &row);
    bool others = false;
    if (kernel != nullptr) {
      if (const auto instance = kernel->InstanceOf(vcpu)) {
        row.kernel_instance = int64_t(*instance);
        others = *instance != kernel->instance();
      }
    }
    const auto cpu = kernel_cpus.find(row.cpu);
    if (cpu != kernel_cpus.end()) row.kernel_cpu = cpu->second;
    if (text && !others && vcpu.mode() != VcpuMode::kUser) {
      row.rip_symbol = SymbolizeText(*text, Kva(vcpu.rip));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ktstr
