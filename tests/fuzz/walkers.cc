#include "walkers.h"

#include "analyze/findings/findings.h"
#include "analyze/index/tables.h"
#include "analyze/views/views.h"
#include "libcore/kernel/crash_notes.h"
#include "libcore/walk/bpf/holder.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/prog.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/cpu/crash_note.h"
#include "libcore/walk/memory/page_classes.h"
#include "libcore/walk/sched/dsq.h"
#include "libcore/walk/sched/rq_task.h"
#include "libcore/walk/sched/scx.h"
#include "libcore/walk/sched/scx_cpu.h"
#include "libcore/walk/stack/stack.h"
#include "libcore/walk/system/cgroup.h"
#include "libcore/walk/system/kernels.h"
#include "libcore/walk/system/log.h"
#include "libcore/walk/system/machine.h"
#include "libcore/walk/system/sched_domain.h"
#include "libcore/walk/system/timer.h"
#include "libcore/walk/system/topology.h"
#include "libcore/walk/system/work_item.h"
#include "libcore/walk/task/task.h"
#include "libcore/walk/trace/trace.h"
#include "libcore/walk/value/typed_value.h"
#include "libcore/walk/value/value_path.h"
#include "libcore/walk/wait/pipe_end.h"
#include "libcore/walk/wait/wait.h"
#include "replay/gdb/sleeping_task.h"
#include "replay/gdb/symbol_file.h"

namespace ktstr::fuzz {

namespace {

template <typename Row>
size_t Count(const Walked<Row>& walked) {
  return walked.rows.size() + walked.anomalies.size();
}
template <typename Row>
size_t Count(const Result<Walked<Row>>& walked) {
  return walked ? Count(*walked) : 1;
}

size_t Waits(const GuestKernel& kernel) {
  const auto frames = WalkStacks(kernel);
  if (!frames) return 1;
  const auto waits = WalkLockWaits(kernel, frames->rows);
  if (!waits) return 1;
  return Count(*frames) + Count(*waits) + Count(WalkPipeEnds(kernel, waits->rows));
}

size_t Scx(const GuestKernel& kernel) {
  const auto state = WalkScx(kernel);
  return state ? state->schedulers.size() + state->ops.size() + state->events.size() : 1;
}

size_t Dsqs(const GuestKernel& kernel) {
  const auto state = WalkDsqs(kernel);
  return state ? state->dsqs.size() + state->tasks.size() + state->anomalies.size() : 1;
}

size_t BpfMapsOf(const GuestKernel& kernel) {
  const auto maps = WalkBpfMaps(kernel);
  return maps ? maps->maps.size() + maps->values.size() + maps->anomalies.size() : 1;
}

size_t Trace(const GuestKernel& kernel) {
  const auto state = WalkTrace(kernel);
  return state ? state->events.size() + state->buffers.size() + state->anomalies.size() : 1;
}

// What a task is made of, as people print it, and what its pointers lead to.
size_t Values(const GuestKernel& kernel) {
  const auto types = kernel.types();
  const auto task = kernel.symbol_kva("init_task");
  if (!types || !task) return 1;
  size_t size = 0;
  for (const char* path : {"", "tasks.next", "mm->pgd[3]", "cpus_mask.bits[0]", "comm"}) {
    const auto root = (*types)->FindStruct("task_struct");
    const auto place = root ? FindPlace(kernel, **types, *root, *task, path)
                            : Result<TypedPlace>(Fail(root.error()));
    const auto json = place ? ReadJson(kernel, **types, *place) : Result<std::string>("");
    if (json) size += json->size();
  }
  return size;
}

// All tables, and what the rules find in them.
size_t Findings(const GuestKernel& kernel) {
  const Tables tables = KernelTables(kernel);
  auto index = Database::InMemory();
  if (!index) return 0;
  for (const auto& table : tables) {
    if (!index->AddTable(*table)) return 0;
  }
  if (!AddViews(*index) || !AddFindings(*index)) return 0;
  const auto found = index->Query("SELECT * FROM finding");
  return found ? found->rows.size() : 0;
}

// What debuggers are given.
size_t ForDebuggers(const GuestKernel& kernel) {
  const auto tasks = AllSleepingTasks(kernel);
  const auto symbols = MakeSymbolFile(kernel);
  return (tasks ? tasks->size() : 1) + (symbols ? symbols->symbols : 1) +
         TasksOnCpus(kernel).size();
}

constexpr Walker kWalkers[] = {
    {"task", [](const GuestKernel& kernel) { return Count(WalkTasks(kernel)); }},
    {"stack", [](const GuestKernel& kernel) { return Count(WalkStacks(kernel)); }},
    {"wait", Waits},
    {"cpu", [](const GuestKernel& kernel) { return Count(WalkCpus(kernel)); }},
    {"rq_task", [](const GuestKernel& kernel) { return Count(WalkRqTasks(kernel)); }},
    {"scx", Scx},
    {"scx_cpu", [](const GuestKernel& kernel) { return Count(WalkScxCpus(kernel)); }},
    {"dsq", Dsqs},
    {"bpf_map", BpfMapsOf},
    {"bpf_prog", [](const GuestKernel& kernel) { return Count(WalkBpfProgs(kernel)); }},
    {"bpf_link", [](const GuestKernel& kernel) { return Count(WalkBpfLinks(kernel)); }},
    {"bpf_holder", [](const GuestKernel& kernel) { return Count(WalkBpfHolders(kernel)); }},
    {"topology", [](const GuestKernel& kernel) { return Count(WalkTopology(kernel)); }},
    {"sched_domain", [](const GuestKernel& kernel) { return Count(WalkSchedDomains(kernel)); }},
    {"cgroup", [](const GuestKernel& kernel) { return Count(WalkCgroups(kernel)); }},
    {"timer", [](const GuestKernel& kernel) { return Count(WalkTimers(kernel)); }},
    {"work_item", [](const GuestKernel& kernel) { return Count(WalkWorkItems(kernel)); }},
    {"log", [](const GuestKernel& kernel) { return Count(WalkLog(kernel)); }},
    {"trace", Trace},
    {"machine", [](const GuestKernel& kernel) { return Count(WalkMachine(kernel)); }},
    {"crash_note", [](const GuestKernel& kernel) { return ReadCrashNotes(kernel).size(); }},
    {"page_classes",
     [](const GuestKernel& kernel) { return size_t{PageClasses::Read(kernel).has_value()}; }},
    {"value", Values},
    {"debugger", ForDebuggers},
    {"finding", Findings},
};

}  // namespace

std::span<const Walker> Walkers() { return kWalkers; }

}  // namespace ktstr::fuzz
