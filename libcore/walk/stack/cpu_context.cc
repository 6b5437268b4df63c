#include "libcore/walk/stack/cpu_context.h"

#include "libcore/walk/cpu/cpu_list.h"
#include "libcore/walk/cpu/per_cpu.h"
#include "libcore/walk/cpu/vcpu_of.h"
#include "libcore/walk/members/rq.h"
#include "libcore/walk/members/task.h"

namespace ktstr {

namespace {

constexpr uint64_t kCr0Paging = uint64_t{1} << 31;
// The processor pushes ip, cs, flags, sp, ss, so that ss is the topmost word.
constexpr uint64_t kCsFromTop = 4 * 8, kSpFromTop = 2 * 8;
// FRED pushes two words before it: the event's data, and one that is reserved (FRED specification,
// 5.1.1).
constexpr uint64_t kCr4Fred = uint64_t{1} << 32;
constexpr uint64_t kFredExtra = 2 * 8;

// Follows the stack pointer from the CPU's own stacks back to the stack that was left for them.
// Nothing when that was in user mode, or is not known.
std::optional<Kva> BackToTaskStack(const GuestKernel& kernel, const CpuContext& cpu, Kva sp) {
  const uint64_t extra = (cpu.vcpu->cr4 & kCr4Fred) != 0 ? kFredExtra : 0;
  for (size_t step = 0; step <= cpu.stacks.size(); ++step) {
    const StackArea* on = nullptr;
    for (const StackArea& stack : cpu.stacks) {
      if (stack.Contains(sp, 8)) on = &stack;
    }
    if (on == nullptr) return sp;
    if (on->kind == StackKind::kEntry) return std::nullopt;
    if (on->kind != StackKind::kIrq) {
      const auto cs = kernel.Read<uint64_t>(on->end - extra - kCsFromTop);
      if (!cs || (*cs & 3) != 0) return std::nullopt;
    }
    const auto next =
        kernel.Read<Kva>(on->kind == StackKind::kIrq ? on->end - 8 : on->end - extra - kSpFromTop);
    if (!next) return std::nullopt;
    sp = *next;
  }
  return std::nullopt;
}

class OwnerFinder {
 public:
  OwnerFinder(const Walk& walk, uint64_t stack_size) : walk_(walk), stack_size_(stack_size) {}

  std::optional<Kva> OwnerOf(const CpuContext& cpu) const {
    if (cpu.vcpu == nullptr) return std::nullopt;
    if (cpu.vcpu->mode() == VcpuMode::kUser) return cpu.current;
    const auto sp = BackToTaskStack(walk_.kernel, cpu, Kva(cpu.vcpu->reg(Gpr::kRsp)));
    if (!sp) return cpu.current;
    for (const auto& task : {cpu.current, cpu.rq_curr, cpu.idle}) {
      if (task && !task->is_null() && IsOnStackOf(*task, *sp)) return task;
    }
    return cpu.current;
  }

 private:
  bool IsOnStackOf(Kva task, Kva sp) const {
    CellReader object(walk_, task, "a CPU's current task");
    const auto stack = object.Pointer(stack_);
    return stack && !stack->is_null() && *stack <= sp && sp <= *stack + stack_size_;
  }

  Walk walk_;
  uint64_t stack_size_;
  MaybeMember stack_ = Fields(walk_, kTaskStruct).Need(task_member::kStack);
};

}  // namespace

std::vector<CpuContext> ListCpuContexts(const Walk& walk, uint64_t stack_size) {
  std::vector<CpuContext> contexts;
  const RqTaskMembers members(walk);
  const OwnerFinder owners(walk, stack_size);
  for (const CpuRef& ref : ListCpus(walk)) {
    CpuContext cpu;
    cpu.cpu = ref.cpu;
    cpu.online = ref.online;
    cpu.vcpu = RegistersOf(walk.kernel, ref.cpu);
    if (cpu.vcpu != nullptr && (cpu.vcpu->cr0 & kCr0Paging) == 0) {
      cpu.vcpu = nullptr;
      cpu.stopped = true;
    }
    cpu.stacks = CpuStacks(walk, ref.cpu);
    CellReader rq(walk, ref.rq, "a run queue");
    cpu.rq_curr = rq.Pointer(members.curr);
    cpu.idle = rq.Pointer(members.idle);
    cpu.current = ReadPerCpuPointer(walk, "current_task", ref.cpu);
    if (!cpu.current) cpu.current = cpu.rq_curr;
    cpu.owner = owners.OwnerOf(cpu);
    contexts.push_back(std::move(cpu));
  }
  return contexts;
}

}  // namespace ktstr
