#include "libcore/kernel/crash_notes.h"

#include <array>
#include <cstring>

namespace ktstr {

namespace {

// struct elf_prstatus of x86-64 (include/linux/elfcore.h): signals, the task's IDs and times, then
// the registers as struct user_regs_struct has them (arch/x86/include/asm/user_64.h), then whether
// there is a state of the FPU.
constexpr size_t kPidAt = 32, kRegistersAt = 112, kStatusSize = 336;
constexpr size_t kRegisters = 27;
enum UserReg {
  kR15,
  kR14,
  kR13,
  kR12,
  kBp,
  kBx,
  kR11,
  kR10,
  kR9,
  kR8,
  kAx,
  kCx,
  kDx,
  kSi,
  kDi,
  kOrigAx,
  kIp,
  kCs,
  kFlags,
  kSp,
  kSs,
  kFsBase,
  kGsBase,
  kDs,
  kEs,
  kFs,
  kGs,
};
// An ELF note: sizes of name and contents, type; the name "CORE", padded; the contents.
constexpr uint32_t kNameSize = 5, kPrStatus = 1;
constexpr size_t kHeaderSize = 12, kPaddedName = 8;

constexpr uint64_t kCr0Paging = uint64_t{1} << 31, kCr4Levels = uint64_t{1} << 12;

using Note = std::array<std::byte, kHeaderSize + kPaddedName + kStatusSize>;

template <typename T>
T At(const Note& note, size_t offset) {
  T value;
  std::memcpy(&value, note.data() + offset, sizeof value);
  return value;
}

bool IsPrStatus(const Note& note) {
  return At<uint32_t>(note, 0) == kNameSize && At<uint32_t>(note, 4) == kStatusSize &&
         At<uint32_t>(note, 8) == kPrStatus &&
         std::memcmp(note.data() + kHeaderSize, "CORE", 5) == 0;
}

SavedRegisters Parse(const GuestKernel& kernel, const Note& note, uint32_t cpu, Kva area) {
  constexpr size_t kStatus = kHeaderSize + kPaddedName;
  const auto reg = [&](UserReg r) {
    return At<uint64_t>(note, kStatus + kRegistersAt + size_t{r} * sizeof(uint64_t));
  };
  static_assert(kRegistersAt + kRegisters * sizeof(uint64_t) + sizeof(uint64_t) == kStatusSize);
  SavedRegisters saved;
  saved.cpu = cpu;
  saved.pid = At<int32_t>(note, kStatus + kPidAt);
  VcpuRegisters& regs = saved.registers;
  regs.cpu = cpu;
  regs.gpr = {reg(kAx), reg(kCx), reg(kDx),  reg(kBx),  reg(kSp),  reg(kBp),  reg(kSi),  reg(kDi),
              reg(kR8), reg(kR9), reg(kR10), reg(kR11), reg(kR12), reg(kR13), reg(kR14), reg(kR15)};
  regs.rip = reg(kIp);
  regs.rflags = reg(kFlags);
  regs.cs.selector = static_cast<uint16_t>(reg(kCs));
  regs.ss.selector = static_cast<uint16_t>(reg(kSs));
  regs.fs.base = reg(kFsBase);
  // In the kernel GS leads to the CPU's own area, and the note has the user's.
  const bool user = regs.mode() == VcpuMode::kUser;
  regs.gs.base = user ? reg(kGsBase) : area.value();
  regs.kernel_gs_base = user ? area.value() : reg(kGsBase);
  regs.cr0 = kCr0Paging;
  regs.cr3 = kernel.walk_context().root.value();
  regs.cr4 = kernel.paging_levels() == 5 ? kCr4Levels : 0;
  for (const VcpuRegisters& vcpu : kernel.own_vcpus()) regs.cr4 |= vcpu.cr4;
  return saved;
}

}  // namespace

std::vector<SavedRegisters> ReadCrashNotes(const GuestKernel& kernel) {
  std::vector<SavedRegisters> all;
  const auto notes = kernel.ReadSymbol<uint64_t>("crash_notes");
  const auto cpus = kernel.CpuCount();
  if (!notes || *notes == 0 || !cpus) return all;
  for (uint32_t cpu = 0; cpu < *cpus; ++cpu) {
    const auto area = kernel.PerCpu(Kva(0), cpu);
    Note note;
    if (!area || !kernel.Read(*area + *notes, note) || !IsPrStatus(note)) continue;
    all.push_back(Parse(kernel, note, cpu, *area));
  }
  return all;
}

}  // namespace ktstr
