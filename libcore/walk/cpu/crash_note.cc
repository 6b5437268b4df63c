#include "libcore/walk/cpu/crash_note.h"

#include "libcore/walk/code/symbolize.h"
#include "libcore/walk/system/machine.h"

namespace ktstr {

const RowTable<CrashNoteRow>& CrashNoteRow::Table() {
  using R = CrashNoteRow;
  static const RowTable<R> table(
      "crash_note",
      "The registers that a crashed kernel saved of each of its CPUs before its crash kernel "
      "began.",
      {
          Col<&R::cpu>("cpu", "", "Number, as that kernel counts."),
          Col<&R::pid>("pid", "", "Thread that it ran; 0 is the idle task."),
          Col<&R::panicked>("panicked", "", "1 for the CPU that panicked; NULL when not known."),
          Col<&R::rip>("rip", "", "Instruction pointer."),
          Col<&R::rsp>("rsp", "", "Stack pointer."),
          Col<&R::rflags>("rflags", "", "Flags."),
          Col<&R::mode>("mode", "", "kernel or user."),
          Col<&R::rip_symbol>("rip_symbol", "",
                              "The instruction pointer as symbol+offset, in kernel mode."),
      });
  return table;
}

std::optional<int64_t> PanicCpu(const GuestKernel& kernel) {
  const auto cpu = kernel.ReadSymbol<int32_t>("panic_cpu");
  // PANIC_CPU_INVALID is -1.
  return cpu && *cpu >= 0 ? std::optional<int64_t>(*cpu) : std::nullopt;
}

std::vector<CrashNoteRow> CrashNoteRows(const GuestKernel& kernel) {
  std::vector<CrashNoteRow> rows;
  if (kernel.saved_registers().empty()) return rows;
  const auto panicked = PanicCpu(kernel);
  Anomalies ignored("");
  TextSymbols text(kernel, WalkLimits(), ignored);
  for (const SavedRegisters& saved : kernel.saved_registers()) {
    const VcpuRegisters& registers = saved.registers;
    CrashNoteRow row;
    row.cpu = saved.cpu;
    row.pid = saved.pid;
    if (panicked) row.panicked = *panicked == row.cpu ? 1 : 0;
    row.rip = Hex(registers.rip);
    row.rsp = Hex(registers.reg(Gpr::kRsp));
    row.rflags = Hex(registers.rflags);
    row.mode = VcpuModeName(registers.mode());
    if (registers.mode() != VcpuMode::kUser)
      row.rip_symbol = SymbolizeText(text, Kva(registers.rip));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace ktstr
