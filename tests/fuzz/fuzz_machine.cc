// Proves: whatever a whole guest is made of (page tables, VMCOREINFO, symbols, types, registers,
// and all that a kernel keeps), finding its kernel and each walker over it ends, within a set time
// and amount of memory.
//
// Two small synthetic kernels, one with tasks, stacks, sched_ext and BPF, the other with cgroups,
// domains, timers and work. Input: a byte that chooses the kernel, one that chooses the walker,
// four that change registers, then changes (changes.h) of any page.
#include "changes.h"
#include "fixtures/synthetic/bpf_builder.h"
#include "fixtures/synthetic/bpf_prog_builder.h"
#include "fixtures/synthetic/log_builder.h"
#include "fixtures/synthetic/sched_builder.h"
#include "fixtures/synthetic/scx_builder.h"
#include "fixtures/synthetic/stack_builder.h"
#include "fixtures/synthetic/system_builder.h"
#include "fuzz.h"
#include "mutated_memory.h"
#include "walkers.h"

namespace ktstr::fuzz {
namespace {

using namespace synthetic;

constexpr ScxLayout kLayout = ScxLayout::kCaps;

SyntheticGuest MakeSchedGuest() {
  KernelBuilder builder({.zero_based_per_cpu = false});
  SchedBuilder sched(builder, ScxBuilder::Types(kLayout));
  ScxBuilder scx(builder, sched, kLayout);
  StackBuilder stacks(builder, sched);
  LogBuilder log(builder);
  std::vector<Kva> tasks;
  for (uint32_t pid = 40; pid < 46; ++pid) {
    tasks.push_back(sched.AddProcess({.pid = pid, .sched_class = pid % 2 == 0 ? "ext" : "fair"}));
  }
  sched.AddThread(tasks[0], {.pid = 50});
  sched.Run(0, tasks[0]);
  sched.queues().AddFair(sched.queues().RootFairQueue(0), tasks[1], 100);
  sched.queues().AddFair(sched.queues().RootFairQueue(0), tasks[3], 200);
  sched.queues().AddRealTime(1, tasks[5], 3);
  const Kva root = scx.AddScheduler({.name = "root", .exit = {.reason = "why", .dump = "dump"}});
  const Kva below = scx.AddScheduler({.name = "below", .cgroup = "/a"}, root);
  const Kva queue = scx.AddDsq(root, 7);
  scx.Dispatch(queue, tasks[2]);
  scx.DispatchByVtime(scx.AddDsq(below, 8), tasks[4], 9);
  log.Add({.text = "a line of the log"});
  log.Add({.text = "another one"});
  BpfBuilder bpf(builder);
  bpf.program_types().Struct("point", {{"int", "x"}, {"bool", "set"}, {"char[8]", "label"}});
  bpf.AddArray({.id = 1, .max_entries = 4, .key_type = "int", .value_type = "point"});
  bpf.AddPercpuArray({.id = 2, .max_entries = 2});
  const Kva hash = bpf.AddHash(BpfBuilder::Type::kHash, {.id = 3, .max_entries = 8}, 4);
  bpf.AddElement(hash, 1, 11);
  bpf.AddElement(hash, 1, 12);
  const Kva storage = bpf.AddTaskStorage({.id = 4, .value_type = "point"}, 2);
  bpf.AddToTask(storage, 0, tasks[2]);
  bpf.AddOther(BpfBuilder::Type::kSockmap, {.id = 5});
  log.Finish();
  bpf.Finish();
  scx.Finish();
  stacks.Finish();
  sched.Finish();
  return builder.Finish();
}

SyntheticGuest MakeSystemGuest() {
  KernelBuilder builder;
  SystemBuilder system(builder);
  const Kva task = system.AddTask(7, "sleeper");
  const Kva group = system.AddCgroup(system.root_cgroup(), "a");
  system.AddTaskGroup(group, 1024, 50'000'000, 100'000'000);
  system.AddCpuset(group, 3, 1);
  system.AddTasks(group, 2);
  system.AddCgroup(group, "b");
  system.AddDomain(0, "MC", 3, 2);
  const Kva function = builder.Text("a_function");
  system.AddTimer(0, 3, 1000, function);
  system.AddSleep(1, 5, 2000, task);
  system.AddHrSleeps(0, {task, task, task});
  const Kva workqueue = system.AddWorkqueue("events");
  const Kva pool = system.CpuPool(0, 0);
  const Kva pwq = system.AddPwq(workqueue, pool);
  const Kva work = system.AddWork(function, pwq);
  system.SetPending(pool, {work});
  system.AddWorker(pool, 2, task, system.AddWork(function, pwq), function, pwq);
  system.AddDelayedWork(0, 7, 3000, function, workqueue);
  system.Finish();
  return builder.Finish();
}

class Machine {
 public:
  explicit Machine(SyntheticGuest guest) : guest_(std::move(guest)), memory_(*guest_.memory) {
    std::vector<Pfn> pages;
    for (const MemoryRegion& region : memory_.regions()) {
      for (Pfn pfn = region.begin; (pfn = guest_.memory->NextTouched(pfn)) < region.end;
           pfn = pfn + 1) {
        pages.push_back(pfn);
        if (pfn + 1 == region.end) break;
      }
    }
    changes_.emplace(memory_, pages, KernelOptions().page_offset);
    // What is read of it unchanged is something.
    const auto kernel = GuestKernel::Open(memory_, guest_.vcpus);
    Require(kernel && (*kernel)->types(), "the kernel can be read");
  }

  void Run(size_t walker, std::span<const uint8_t> registers, std::span<const uint8_t> changes) {
    changes_->Apply(changes, memory_);
    std::vector<VcpuRegisters> vcpus = guest_.vcpus;
    Change(registers, vcpus);
    if (const auto kernel = GuestKernel::Open(memory_, vcpus)) {
      (void)Walkers()[walker].run(**kernel);
    }
    memory_.Reset();
  }

 private:
  // Register and bit, of both CPUs.
  static void Change(std::span<const uint8_t> input, std::vector<VcpuRegisters>& vcpus) {
    for (size_t i = 0; i + 1 < input.size() && i / 2 < vcpus.size(); i += 2) {
      VcpuRegisters& vcpu = vcpus[i / 2];
      uint64_t* const registers[] = {&vcpu.rip,      &vcpu.rflags,  &vcpu.cr0,
                                     &vcpu.cr3,      &vcpu.cr4,     &vcpu.lstar,
                                     &vcpu.idt.base, &vcpu.gs.base, &vcpu.kernel_gs_base,
                                     &vcpu.gpr[4]};
      if (input[i] == 0) continue;
      *registers[input[i] % std::size(registers)] ^= uint64_t{1} << (input[i + 1] % 64);
    }
  }

  SyntheticGuest guest_;
  MutatedMemory memory_;
  std::optional<Changes> changes_;
};

}  // namespace
}  // namespace ktstr::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ktstr::fuzz;
  static Machine machines[] = {Machine(MakeSchedGuest()), Machine(MakeSystemGuest())};
  constexpr size_t kHead = 6;
  if (size < kHead) return 0;
  const std::span<const uint8_t> input(data, size);
  machines[data[0] % 2].Run(data[1] % Walkers().size(), input.subspan(2, 4), input.subspan(kHead));
  return 0;
}
