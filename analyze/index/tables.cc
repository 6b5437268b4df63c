#include "analyze/index/tables.h"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <utility>

#include "analyze/findings/findings.h"
#include "analyze/findings/verdict.h"
#include "analyze/index/capture_rows.h"
#include "analyze/index/settled.h"
#include "libcore/walk/bpf/holder.h"
#include "libcore/walk/bpf/map.h"
#include "libcore/walk/bpf/prog.h"
#include "libcore/walk/cpu/cpu.h"
#include "libcore/walk/cpu/crash_note.h"
#include "libcore/walk/row/anomaly.h"
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
#include "libcore/walk/wait/pipe_end.h"
#include "libcore/walk/wait/wait.h"
#include "replay/frozen_machine.h"

namespace ktstr {

namespace {

class Collector {
 public:
  explicit Collector(ProgressSteps* steps = nullptr, TableSink sink = {},
                     Machine* machine = nullptr, const TablesWanted* wanted = nullptr)
      : steps_(steps), sink_(std::move(sink)), machine_(machine), wanted_(wanted) {
    if (machine != nullptr) settling_ = Settling(*machine);
  }
  const Settling& settling() const { return settling_; }

  // Whether one of these tables is to be made.
  bool Wants(std::initializer_list<const char*> names) const {
    return wanted_ == nullptr ||
           std::ranges::any_of(names, [this](const char* name) { return wanted_->contains(name); });
  }
  // Whether some are, and all of them among these.
  bool WantsOnly(std::initializer_list<std::string_view> names) const {
    return wanted_ != nullptr && !wanted_->empty() &&
           std::ranges::all_of(*wanted_, [&](const auto& wanted) {
             return std::ranges::find(names, std::string_view(wanted.first)) != names.end();
           });
  }
  ColumnsWanted ColumnsOf(const char* table) const {
    if (wanted_ == nullptr) return ColumnsWanted();
    const auto wanted = wanted_->find(table);
    return wanted == wanted_->end() ? ColumnsWanted(std::set<std::string, std::less<>>())
                                    : wanted->second;
  }
  // Tasks sleep in functions that their stacks tell.
  bool WantsWaitChannels() const { return ColumnsOf("task").Contains("wchan"); }

  // So much of kTableSteps is done.
  void Step(uint64_t weight) {
    if (steps_ != nullptr) steps_->Done(weight);
  }
  // The rows where they are from then on.
  template <typename Row>
  std::span<const Row> Add(std::vector<Row> rows) {
    auto table = std::make_unique<RowSet<Row>>(std::move(rows));
    const std::span<const Row> kept = table->rows;
    Keep(std::move(table));
    return kept;
  }
  template <typename Row>
  std::span<const Row> Add(Walked<Row> walked) {
    Note(std::move(walked.anomalies));
    return Add(std::move(walked.rows));
  }
  // A walker that could not even begin says why, and gives no rows.
  template <typename Row>
  std::span<const Row> Add(Result<Walked<Row>> walked) {
    if (walked) return Add(*std::move(walked));
    Fail(std::string(Row::Table().info.name), walked.error());
    return {};
  }
  void MarkIncomplete(const std::string& table) { incomplete_.insert(table); }
  bool is_incomplete(const std::string& table) const { return incomplete_.contains(table); }
  // Once damage was met, whatever a walker stumbled over may come of it: what was read in vain is
  // remembered, and not read again.
  void MarkStumblers() {
    if (machine_ == nullptr || machine_->damaged_views() == 0) return;
    for (const AnomalyRow& anomaly : anomalies_) MarkIncomplete(anomaly.walker);
  }
  // Whether damaged pages were asked for since this was last asked.
  bool MeetsDamage() {
    const uint64_t views = machine_ == nullptr ? 0 : machine_->damaged_views();
    return std::exchange(seen_views_, views) != views;
  }
  void Fail(const std::string& walker, const Error& error) {
    // Its walk ended here, and not for the sake of the table that comes next.
    if (MeetsDamage()) MarkIncomplete(walker);
    Anomalies anomalies(walker);
    anomalies.Add(error, std::nullopt, "walking");
    std::vector<AnomalyRow> rows = std::move(anomalies).Take();
    settling_.MarkUnbegun(rows);
    Note(std::move(rows));
  }
  void Note(std::vector<AnomalyRow> anomalies) {
    std::move(anomalies.begin(), anomalies.end(), std::back_inserter(anomalies_));
  }
  // Every table but those that are made of these; those that nothing was added to are empty.
  BuiltTables Take() && {
    Add(std::move(anomalies_));
    for (const TableInfo* info : AllTableInfos()) {
      if (IsMadeOfOthers(*info) || Has(*info)) continue;
      Keep(std::make_unique<EmptyTable>(*info));
    }
    if (incomplete_.empty()) return {std::move(tables_), {}};
    for (const TableInfo* info : AllTableInfos()) {
      if (IsMadeOfOthers(*info)) incomplete_.insert(std::string(info->name));
    }
    return {std::move(tables_), std::move(incomplete_)};
  }

 private:
  void Keep(std::unique_ptr<TableData> table) {
    if (MeetsDamage()) MarkIncomplete(std::string(table->info().name));
    if (sink_) sink_(*table);
    tables_.push_back(std::move(table));
  }
  bool Has(const TableInfo& info) const {
    return std::any_of(tables_.begin(), tables_.end(),
                       [&](const auto& table) { return &table->info() == &info; });
  }

  ProgressSteps* steps_;
  TableSink sink_;
  Machine* machine_;
  Settling settling_;
  const TablesWanted* wanted_;  // null: all
  uint64_t seen_views_ = 0;     // of damaged pages
  std::set<std::string> incomplete_;
  Tables tables_;
  std::vector<AnomalyRow> anomalies_;
};

void AddScx(Result<ScxState> state, Collector& tables) {
  if (!state) return tables.Fail("scx", state.error());
  tables.Add(std::move(state->schedulers));
  tables.Add(std::move(state->ops));
  tables.Add(std::move(state->events));
  tables.Note(std::move(state->anomalies));
}

void AddDsqs(Result<DsqState> state, Collector& tables) {
  if (!state) return tables.Fail("dsq", state.error());
  tables.Add(std::move(state->dsqs));
  tables.Add(std::move(state->tasks));
  tables.Note(std::move(state->anomalies));
}

void AddTrace(Result<TraceState> state, Collector& tables) {
  if (!state) return tables.Fail("trace", state.error());
  tables.Add(std::move(state->events));
  tables.Add(std::move(state->buffers));
  tables.Note(std::move(state->anomalies));
}

void AddBpfMaps(Result<BpfMaps> maps, Collector& tables) {
  if (!maps) return tables.Fail("bpf_map", maps.error());
  tables.Add(std::move(maps->maps));
  tables.Add(std::move(maps->values));
  tables.Add(std::move(maps->elements));
  tables.Add(std::move(maps->arena_pages));
  tables.Note(std::move(maps->anomalies));
}

// Steps have the lengths that they have with many tasks: with few nobody waits for any. The largest
// table comes first, so that it can be written while the others are made.
void WalkKernel(const GuestKernel& kernel, Collector& tables) {
  // Each walk of the kernel's structures, as often as it takes.
  const auto settled = [&](auto walk) { return tables.settling()(kernel, walk); };
  const auto add = [&](const char* name, auto walk) {
    if (tables.Wants({name})) tables.Add(settled([&] { return walk(kernel); }));
  };
  if (tables.Wants({"kernel"})) tables.Add(KernelRows(kernel));
  if (tables.Wants({"crash_note"})) tables.Add(CrashNoteRows(kernel));
  tables.Step(5);
  // One look at each task and one at its stack.
  std::optional<OnePass> pass;
  if (tables.WantsOnly({"task", "stack_frame"})) pass.emplace(kernel.memory());
  std::span<const StackFrameRow> frames;
  bool have_stacks = false;
  if (tables.Wants({"stack_frame", "lock_wait", "pipe_end"}) || tables.WantsWaitChannels()) {
    auto stacks = settled([&] { return WalkStacks(kernel, {}, 0, !tables.settling().runs()); });
    have_stacks = stacks.has_value();
    frames = tables.Add(std::move(stacks));
  }
  tables.Step(30);
  if (tables.Wants({"task"})) {
    const ColumnsWanted columns = tables.ColumnsOf("task");
    tables.Add(settled([&] { return WalkTasks(kernel, frames, columns); }));
  }
  pass.reset();
  tables.Step(10);
  if (have_stacks && tables.Wants({"lock_wait", "pipe_end"})) {
    auto waits = settled([&] { return WalkLockWaits(kernel, frames); });
    if (waits) tables.Add(settled([&] { return WalkPipeEnds(kernel, waits->rows); }));
    tables.Add(std::move(waits));
  }
  tables.Step(3);
  add("cpu", [](const GuestKernel& k) { return WalkCpus(k); });
  add("rq_task", [](const GuestKernel& k) { return WalkRqTasks(k); });
  if (tables.Wants({"scx", "scx_op", "scx_event"})) {
    AddScx(settled([&] { return WalkScx(kernel); }), tables);
  }
  add("scx_cpu", [](const GuestKernel& k) { return WalkScxCpus(k); });
  if (tables.Wants({"dsq", "dsq_task"})) {
    AddDsqs(settled([&] { return WalkDsqs(kernel); }), tables);
  }
  if (tables.Wants({"bpf_map", "bpf_map_value", "bpf_element", "bpf_arena_page"})) {
    AddBpfMaps(settled([&] { return WalkBpfMaps(kernel); }), tables);
  }
  add("bpf_prog", [](const GuestKernel& k) { return WalkBpfProgs(k); });
  add("bpf_link", [](const GuestKernel& k) { return WalkBpfLinks(k); });
  add("bpf_holder", [](const GuestKernel& k) { return WalkBpfHolders(k); });
  add("topology", [](const GuestKernel& k) { return WalkTopology(k); });
  add("sched_domain", [](const GuestKernel& k) { return WalkSchedDomains(k); });
  add("cgroup", [](const GuestKernel& k) { return WalkCgroups(k); });
  add("timer", [](const GuestKernel& k) { return WalkTimers(k); });
  add("work_item", [](const GuestKernel& k) { return WalkWorkItems(k); });
  if (tables.Wants({"trace", "trace_buffer"})) {
    AddTrace(settled([&] { return WalkTrace(kernel); }), tables);
  }
  add("log", [](const GuestKernel& k) { return WalkLog(k); });
  tables.Step(2);
}

}  // namespace

std::vector<const TableInfo*> AllTableInfos() {
  return {
      &MachineRow::Table().info,      &KernelRow::Table().info,      &DerivationRow::Table().info,
      &TagRow::Table().info,          &MemoryRow::Table().info,      &VcpuRow::Table().info,
      &CrashNoteRow::Table().info,    &CpuRow::Table().info,         &TopologyRow::Table().info,
      &SchedDomainRow::Table().info,  &TaskRow::Table().info,        &RqTaskRow::Table().info,
      &StackFrameRow::Table().info,   &LockWaitRow::Table().info,    &PipeEndRow::Table().info,
      &ScxRow::Table().info,          &ScxOpRow::Table().info,       &ScxEventRow::Table().info,
      &ScxCpuRow::Table().info,       &DsqRow::Table().info,         &DsqTaskRow::Table().info,
      &BpfMapRow::Table().info,       &BpfMapValueRow::Table().info, &BpfElementRow::Table().info,
      &BpfArenaPageRow::Table().info, &BpfProgRow::Table().info,     &BpfLinkRow::Table().info,
      &BpfHolderRow::Table().info,    &CgroupRow::Table().info,      &TimerRow::Table().info,
      &WorkItemRow::Table().info,     &TraceRow::Table().info,       &TraceBufferRow::Table().info,
      &LogRow::Table().info,          &AnomalyRow::Table().info,     &FindingRow::Table().info,
      &VerdictRow::Table().info};
}

bool IsMadeOfOthers(const TableInfo& table) {
  return &table == &FindingRow::Table().info || &table == &VerdictRow::Table().info;
}

Tables KernelTables(const GuestKernel& kernel) {
  Collector tables;
  tables.Add(WalkMachine(kernel));
  tables.Add(VcpuRows(kernel.vcpus(), &kernel));
  WalkKernel(kernel, tables);
  return std::move(tables).Take().tables;
}

// What follows from another table's rows, or from a part of the archive, lacks what that lacks.
void MarkDependents(const ArchiveReader* archive, Collector& tables) {
  using Part = LostPart::Part;
  tables.MarkStumblers();
  const auto mark = [&](std::initializer_list<const char*> names) {
    for (const char* name : names) tables.MarkIncomplete(name);
  };
  const auto has_lost = [&](Part part) { return archive != nullptr && archive->has_lost(part); };
  if (has_lost(Part::kMetadata)) mark({"machine", "derivation", "tag"});
  if (has_lost(Part::kVcpus)) mark({"vcpu", "crash_note", "stack_frame"});
  if (tables.is_incomplete("stack_frame")) {
    mark({"lock_wait", "pipe_end"});
    if (tables.WantsWaitChannels()) mark({"task"});
  }
  // One walk makes them all, and its damage is told of the first.
  if (tables.is_incomplete("scx")) mark({"scx_op", "scx_event", "scx_cpu"});
  if (tables.is_incomplete("dsq")) mark({"dsq_task"});
  if (tables.is_incomplete("bpf_map")) mark({"bpf_map_value", "bpf_element", "bpf_arena_page"});
  if (tables.is_incomplete("trace")) mark({"trace_buffer"});
  if (tables.is_incomplete("log")) mark({"log_text"});
}

BuiltTables BuildTables(Machine& machine, const KernelChoice& choice, ProgressSteps* steps,
                        TableSink sink, const TablesWanted* wanted) {
  Collector tables(steps, std::move(sink), &machine, wanted);
  const ArchiveReader* archive =
      machine.frozen() == nullptr ? nullptr : &machine.frozen()->archive();
  const auto found = machine.Kernel(choice);
  const bool met_damage = tables.MeetsDamage();
  if (!found) tables.Fail("machine", found.error());
  const GuestKernel* kernel = found ? *found : nullptr;
  if (met_damage || (kernel == nullptr && archive != nullptr && !archive->lost().empty())) {
    // In what all walkers need: the kernel's symbols, its types, its page tables.
    for (const TableInfo* info : AllTableInfos()) {
      const bool of_archive = info == &MemoryRow::Table().info || info == &TagRow::Table().info;
      if (!of_archive && info != &AnomalyRow::Table().info) {
        tables.MarkIncomplete(std::string(info->name));
      }
    }
  }

  if (tables.Wants({"machine"})) {
    std::vector<MachineRow> machine_rows = CaptureRows(machine);
    if (kernel != nullptr) {
      Walked<MachineRow> walked = tables.settling()(*kernel, [&] { return WalkMachine(*kernel); });
      std::move(walked.rows.begin(), walked.rows.end(), std::back_inserter(machine_rows));
      tables.Note(std::move(walked.anomalies));
    }
    tables.Add(std::move(machine_rows));
  }
  tables.Add(
      DerivationRows(kernel != nullptr ? kernel->derivations() : machine.metadata().derivations));
  tables.Add(TagRows(machine.metadata()));
  if (tables.Wants({"memory"})) tables.Add(MemoryRows(machine));
  if (tables.Wants({"vcpu"})) tables.Add(VcpuRows(machine.vcpus(), kernel));
  if (kernel != nullptr) WalkKernel(*kernel, tables);
  MarkDependents(archive, tables);
  return std::move(tables).Take();
}

}  // namespace ktstr
