#include "libcore/walk/stack/stack_bounds.h"

#include "libcore/walk/cpu/per_cpu.h"

namespace ktstr {

namespace {

struct ExceptionStack {
  const char* member;  // of struct cea_exception_stacks
  StackKind kind;
};
constexpr ExceptionStack kExceptionStacks[] = {
    {"DF_stack", StackKind::kDoubleFault}, {"NMI_stack", StackKind::kNmi},
    {"DB_stack", StackKind::kDebug},       {"MCE_stack", StackKind::kMachineCheck},
    {"VC_stack", StackKind::kVc},          {"VC2_stack", StackKind::kVcFallback},
};

// The top word of the stack holds the stack pointer to return to; hardirq_stack_ptr points to it
// (arch/x86/kernel/irq_64.c).
void AddIrqStack(const Walk& walk, uint32_t cpu, std::vector<StackArea>& stacks) {
  const auto size = walk.types.SizeOf("irq_stack");
  const auto top_word = ReadPerCpuPointer(walk, "hardirq_stack_ptr", cpu);
  if (!size || !top_word || top_word->is_null()) return;
  const Kva end = *top_word + 8;
  stacks.push_back({StackKind::kIrq, end - *size, end});
}

// struct cpu_entry_area holds the entry stack and, with guard pages between, the exception stacks,
// to which a per-CPU pointer leads.
void AddEntryAreaStacks(const Walk& walk, uint32_t cpu, std::vector<StackArea>& stacks) {
  const auto area = ReadPerCpuPointer(walk, "cea_exception_stacks", cpu);
  if (!area || area->is_null()) return;
  for (const ExceptionStack& stack : kExceptionStacks) {
    const auto member = walk.types.FindMember("cea_exception_stacks", stack.member);
    if (!member || member->size == 0) continue;
    const Kva begin = *area + member->offset;
    stacks.push_back({stack.kind, begin, begin + member->size});
  }
  const auto estacks = walk.types.FindMember("cpu_entry_area", "estacks");
  const auto entry = walk.types.FindMember("cpu_entry_area", "entry_stack_page.stack");
  if (!estacks || !entry) return;
  const Kva begin = *area - estacks->offset + entry->offset;
  stacks.push_back({StackKind::kEntry, begin, begin + entry->size});
}

}  // namespace

std::string_view StackKindName(StackKind kind) {
  switch (kind) {
    case StackKind::kTask:
      return "task";
    case StackKind::kIrq:
      return "irq";
    case StackKind::kEntry:
      return "entry";
    case StackKind::kDoubleFault:
      return "DF";
    case StackKind::kNmi:
      return "NMI";
    case StackKind::kDebug:
      return "DB";
    case StackKind::kMachineCheck:
      return "MC";
    case StackKind::kVc:
      return "VC";
    case StackKind::kVcFallback:
      return "VC2";
  }
  return "unknown";
}

Result<uint64_t> TaskStackSize(const GuestKernel& kernel) {
  constexpr const char* kBounds[][2] = {{"__start_init_stack", "__end_init_stack"},
                                        {"__start_init_task", "__end_init_task"}};
  for (const auto& [begin, end] : kBounds) {
    const auto from = kernel.symbol_kva(begin), to = kernel.symbol_kva(end);
    if (from && to && *from < *to) return *to - *from;
  }
  return KTSTR_TRY(kernel.types())->SizeOf("irq_stack");
}

std::vector<StackArea> CpuStacks(const Walk& walk, uint32_t cpu) {
  std::vector<StackArea> stacks;
  AddIrqStack(walk, cpu, stacks);
  AddEntryAreaStacks(walk, cpu, stacks);
  return stacks;
}

}  // namespace ktstr
