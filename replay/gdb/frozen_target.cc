#include "replay/gdb/frozen_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "libcore/walk/system/machine.h"
#include "replay/gdb/monitor.h"

namespace ktstr {

namespace {

constexpr uint64_t kPagingOn = uint64_t{1} << 31;        // CR0.PG
constexpr uint64_t kLongModeActive = uint64_t{1} << 10;  // EFER.LMA

bool IsOfKernel(Kva address) { return (address.value() >> 63) != 0; }

}  // namespace

Result<std::unique_ptr<FrozenTarget>> FrozenTarget::Create(FrozenMachine& machine,
                                                           const FrozenTargetOptions& options) {
  auto target = std::unique_ptr<FrozenTarget>(new FrozenTarget(machine));
  if (const auto kernel = machine.Kernel(options.kernel)) {
    target->kernel_ = *kernel;
    target->on_cpus_ = TasksOnCpus(**kernel);
  } else {
    target->no_kernel_ = kernel.error();
  }
  if (options.all_tasks) {
    for (SleepingTask& task : KTSTR_TRY(AllSleepingTasks(*KTSTR_TRY(target->kernel())))) {
      target->tasks_.emplace(kFirstTask + static_cast<uint64_t>(task.pid), std::move(task));
    }
  }
  // Tasks are threads enough.
  if (target->Threads().empty()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} has no registers: a debugger has nowhere to stand, but in tasks "
                            "that sleep (--tasks)",
                            machine.archive().path()));
  }
  return target;
}

Result<const GuestKernel*> FrozenTarget::kernel() const {
  if (kernel_ == nullptr) return Fail(*no_kernel_);
  return kernel_;
}

std::vector<GdbThread> FrozenTarget::Threads() {
  std::vector<GdbThread> threads;
  for (size_t i = 0; i < machine_.archive().vcpus().size(); ++i) threads.push_back(i + 1);
  if (kernel_ != nullptr) {
    for (const SavedRegisters& saved : kernel_->saved_registers()) {
      threads.push_back(kFirstCrashed + saved.cpu);
    }
  }
  for (const auto& [thread, task] : tasks_) threads.push_back(thread);
  return threads;
}

bool FrozenTarget::Has(GdbThread thread) {
  return VcpuOf(thread) != nullptr || CrashOf(thread) != nullptr || tasks_.contains(thread);
}

const VcpuRegisters* FrozenTarget::VcpuOf(GdbThread thread) const {
  const auto vcpus = machine_.archive().vcpus();
  return thread >= 1 && thread <= vcpus.size() ? &vcpus[thread - 1] : nullptr;
}

const VcpuRegisters* FrozenTarget::CrashOf(GdbThread thread) const {
  if (kernel_ == nullptr) return nullptr;
  for (const SavedRegisters& saved : kernel_->saved_registers()) {
    if (thread == kFirstCrashed + saved.cpu) return &saved.registers;
  }
  return nullptr;
}

GdbThread FrozenTarget::ThreadOf(const TaskOnCpu& task) const {
  if (task.crashed) return kFirstCrashed + task.cpu;
  const auto vcpus = machine_.archive().vcpus();
  const auto vcpu = std::find_if(vcpus.begin(), vcpus.end(),
                                 [&](const VcpuRegisters& one) { return one.cpu == task.vcpu; });
  return static_cast<GdbThread>(vcpu - vcpus.begin()) + 1;
}

const TaskOnCpu* FrozenTarget::TaskAt(GdbThread thread) const {
  for (const TaskOnCpu& task : on_cpus_) {
    if (ThreadOf(task) == thread) return &task;
  }
  return nullptr;
}

std::string FrozenTarget::Describe(GdbThread thread) {
  if (const auto sleeping = tasks_.find(thread); sleeping != tasks_.end()) {
    return fmt::format("task {} ({}), on no CPU", sleeping->second.comm, sleeping->second.pid);
  }
  const VcpuRegisters* vcpu = VcpuOf(thread);
  const std::string_view mode = vcpu == nullptr     ? "when it crashed"
                                : vcpu->KnowsMode() ? VcpuModeName(vcpu->mode())
                                                    : "kernel, perhaps halted";
  if (const TaskOnCpu* task = TaskAt(thread)) {
    const std::string pid = task->pid ? std::to_string(*task->pid) : "?";
    return fmt::format("CPU {}: {} ({}), {}", task->cpu, task->comm, pid, mode);
  }
  if (vcpu == nullptr) return fmt::format("CPU {}, {}", thread - kFirstCrashed, mode);
  return fmt::format("vCPU {}, {}", vcpu->cpu, mode);
}

GdbRegisterValues FrozenTarget::Registers(GdbThread thread) {
  if (const VcpuRegisters* vcpu = VcpuOf(thread)) return GdbValuesOf(*vcpu);
  if (const VcpuRegisters* saved = CrashOf(thread)) return GdbValuesOfCrash(*saved);
  return tasks_.at(thread).registers;
}

std::optional<int64_t> FrozenTarget::PidOf(GdbThread thread) const {
  if (const auto task = tasks_.find(thread); task != tasks_.end()) return task->second.pid;
  const TaskOnCpu* const task = TaskAt(thread);
  return task != nullptr && task->pid.value_or(0) != 0 ? task->pid : std::nullopt;
}

Result<GdbThread> FrozenTarget::AddTask(int64_t pid) {
  for (const TaskOnCpu& task : on_cpus_) {
    if (task.pid == pid) return ThreadOf(task);
  }
  const GdbThread thread = kFirstTask + static_cast<uint64_t>(pid);
  if (!tasks_.contains(thread)) {
    tasks_.emplace(thread, KTSTR_TRY(FindSleepingTask(*KTSTR_TRY(kernel()), pid)));
  }
  return thread;
}

Result<Pa> FrozenTarget::TranslateByTables(Pa root, PagingMode mode, Kva address) {
  if (!space_ || space_->root() != root || space_->mode() != mode) {
    space_ = std::make_unique<AddressSpace>(machine_.memory(), root, mode);
  }
  return space_->Translate(address);
}

// Addresses of the kernel by its own page tables, which every CPU has at hand but for one that is
// in user mode behind page-table isolation; a vCPU that is in no kernel, or in another, by its own.
Result<Pa> FrozenTarget::Translate(GdbThread thread, Kva address) {
  const VcpuRegisters* vcpu = VcpuOf(thread);
  if (vcpu == nullptr) {
    if (IsOfKernel(address)) return kernel_->Translate(address);
    if (CrashOf(thread) != nullptr) {
      return Fail(ErrorCode::kUnmapped, "the CPU's page tables of user space are not known");
    }
    const SleepingTask& task = tasks_.at(thread);
    if (!task.user_tables) {
      return Fail(ErrorCode::kUnmapped,
                  fmt::format("task {} is the kernel's and has no memory of user space", task.pid));
    }
    return TranslateByTables(*task.user_tables, kernel_->address_space().mode(), address);
  }
  if (!vcpu->Knows(RegisterGroup::kControl)) {
    if (kernel_ != nullptr && IsOfKernel(address)) return kernel_->Translate(address);
    return Fail(ErrorCode::kUnmapped, "the vCPU's page tables are not known");
  }
  if ((vcpu->cr0 & kPagingOn) == 0) return Pa(address.value());
  if (vcpu->Knows(RegisterGroup::kSystemCalls) && (vcpu->efer & kLongModeActive) == 0) {
    return Fail(ErrorCode::kUnsupported, "the vCPU is in 32-bit paging, which is not read");
  }
  const bool in_kernel = kernel_ != nullptr && kernel_->InstanceOf(*vcpu) == kernel_->instance();
  if (in_kernel && IsOfKernel(address)) return kernel_->Translate(address);
  return TranslateByTables(vcpu->page_table_root(), PagingModeOf(*vcpu), address);
}

size_t FrozenTarget::Read(GdbThread thread, Kva address, std::span<std::byte> out) {
  size_t read = 0;
  while (read < out.size()) {
    const auto pa = Translate(thread, address + read);
    if (!pa) break;
    const PageView page = machine_.memory().View(Pfn::Of(*pa));
    if (!page.readable()) break;
    const size_t size = std::min<size_t>(out.size() - read, kPageSize - pa->page_offset());
    std::memcpy(out.data() + read, page.data() + pa->page_offset(), size);
    read += size;
  }
  return read;
}

// Per-CPU variables of kernels before 6.15 count from 0 and stay there, whatever KASLR does: gdb
// would move them with the rest.
std::optional<Kva> FrozenTarget::KernelBegin() {
  if (kernel_ == nullptr) return std::nullopt;
  const auto per_cpu = kernel_->symbol_kva("__per_cpu_start"), text = kernel_->symbol_kva("_text");
  if (!text || (per_cpu && per_cpu->is_null() && kernel_->kaslr_offset() != 0)) {
    return std::nullopt;
  }
  return *text;
}

std::string FrozenTarget::Monitor(GdbThread thread, std::string_view words) {
  return AnswerMonitor(*this, thread, words);
}

}  // namespace ktstr
