// A frozen machine as gdb sees it: its vCPUs are threads, and tasks that sleep when they are asked
// for. What the archive does not have is not there: gdb is told so, and never zero.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libcore/paging/address_space.h"
#include "replay/frozen_machine.h"
#include "replay/gdb/sleeping_task.h"
#include "replay/gdb/target.h"

namespace ktstr {

struct FrozenTargetOptions {
  KernelChoice kernel;
  bool all_tasks = false;  // whether every task that sleeps is a thread from the beginning
};

// Threads: vCPU n is n + 1, task PID is kFirstTask + PID. Of a kernel that crashed CPU n as it was
// then is kFirstCrashed + n.
class FrozenTarget : public GdbTarget {
 public:
  static constexpr GdbThread kFirstCrashed = 0x80000, kFirstTask = 0x100000;

  // `machine` must outlive it. A machine without a kernel that can be found still has registers and
  // memory. Errors: kUnsupported (no vCPU, and no task either), those of listing all tasks where these are wanted.
  static Result<std::unique_ptr<FrozenTarget>> Create(FrozenMachine& machine,
                                                      const FrozenTargetOptions& options = {});

  std::vector<GdbThread> Threads() override;
  bool Has(GdbThread thread) override;
  std::string Describe(GdbThread thread) override;
  GdbRegisterValues Registers(GdbThread thread) override;
  size_t Read(GdbThread thread, Kva address, std::span<std::byte> out) override;
  std::optional<Kva> KernelBegin() override;
  std::string Monitor(GdbThread thread, std::string_view words) override;

  // For the monitor's commands.
  FrozenMachine& machine() { return machine_; }
  // Errors: why there is none.
  Result<const GuestKernel*> kernel() const;
  std::span<const TaskOnCpu> on_cpus() const { return on_cpus_; }
  // The thread that has the registers of the CPU which the task is on.
  GdbThread ThreadOf(const TaskOnCpu& task) const;
  // Makes the task a thread, unless it is one. Errors: those of FindSleepingTask.
  Result<GdbThread> AddTask(int64_t pid);
  // The thread's pid, of a vCPU that of the task which it runs; nothing where that is not known,
  // and in an idle task.
  std::optional<int64_t> PidOf(GdbThread thread) const;
  // Where an address of the thread's leads. Errors: those of AddressSpace::Translate.
  Result<Pa> Translate(GdbThread thread, Kva address);

 private:
  explicit FrozenTarget(FrozenMachine& machine) : machine_(machine) {}

  const VcpuRegisters* VcpuOf(GdbThread thread) const;
  const VcpuRegisters* CrashOf(GdbThread thread) const;
  const TaskOnCpu* TaskAt(GdbThread thread) const;
  Result<Pa> TranslateByTables(Pa root, PagingMode mode, Kva address);

  FrozenMachine& machine_;
  const GuestKernel* kernel_ = nullptr;
  std::optional<Error> no_kernel_;
  std::vector<TaskOnCpu> on_cpus_;
  std::map<GdbThread, SleepingTask> tasks_;
  // Of the page tables that were asked last: each has a cache.
  std::unique_ptr<AddressSpace> space_;
};

}  // namespace ktstr
