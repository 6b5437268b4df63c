#include "libcore/walk/system/work_item.h"

#include <fmt/format.h>

#include <array>
#include <unordered_map>

#include "libcore/walk/code/text_symbols.h"
#include "libcore/walk/container/chain.h"
#include "libcore/walk/container/list.h"
#include "libcore/walk/row/fields.h"
#include "libcore/walk/row/globals.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/system/function_name.h"
#include "libcore/walk/system/hash_buckets.h"
#include "libcore/walk/system/worker_pools.h"
#include "libcore/walk/system/workqueue_name.h"
#include "libcore/walk/task/task_identity.h"

namespace ktstr {

// Kernel threads that do work belong to a worker_pool (kernel/workqueue.c). A pool has a list of
// the work that waits for a thread, `worklist`, and a hash of the threads that are busy,
// `busy_hash`; each of those names the work that it does. A work item's `data` holds the address of
// its pool_workqueue, which leads to the workqueue, with flags in the low bits.

namespace {

// The address of a pool_workqueue in a work item's data, which holds flags and a colour, too.
class WorkData {
 public:
  explicit WorkData(const TypeInfo& types) {
    flag_ = types.FindEnumerator("WORK_STRUCT_PWQ").value_or(0);
    // Older kernels (6.1) count flags and colour together.
    for (const char* name : {"WORK_STRUCT_PWQ_SHIFT", "WORK_STRUCT_FLAG_BITS"}) {
      const auto bits = types.FindEnumerator(name);
      if (!bits) continue;
      shift_ = *bits;
      break;
    }
  }

  std::optional<Kva> PwqOf(uint64_t data) const {
    if (flag_ == 0 || shift_ <= 0 || shift_ >= 64) return std::nullopt;
    if ((data & static_cast<uint64_t>(flag_)) == 0) return std::nullopt;
    return Kva(data >> shift_ << shift_);
  }

 private:
  int64_t flag_ = 0, shift_ = 0;
};

struct PoolMembers : Fields {
  explicit PoolMembers(const Walk& walk) : Fields(walk, "worker_pool") {}
  MaybeMember attrs = Maybe("attrs"), worklist = Need("worklist"), busy_hash = Need("busy_hash");
};

struct AttrsMembers : Fields {
  explicit AttrsMembers(const Walk& walk) : Fields(walk, "workqueue_attrs") {}
  MaybeMember nice = Maybe("nice");
};

struct WorkerMembers : Fields {
  explicit WorkerMembers(const Walk& walk) : Fields(walk, "worker") {}
  MaybeMember hentry = Need("hentry"), current_work = Need("current_work"),
              current_func = Need("current_func"), current_pwq = Need("current_pwq"),
              scheduled = Need("scheduled"), task = Need("task");
};

struct WorkMembers : Fields {
  explicit WorkMembers(const Walk& walk) : Fields(walk, "work_struct") {}
  MaybeMember data = Need("data"), entry = Need("entry"), func = Need("func");
};

struct WorkqueueMembers : Fields {
  explicit WorkqueueMembers(const Walk& walk) : Fields(walk, "workqueue_struct") {}
  MaybeMember pwqs = Maybe("pwqs"), node = Maybe("list");
};

struct PwqMembers : Fields {
  explicit PwqMembers(const Walk& walk) : Fields(walk, "pool_workqueue") {}
  MaybeMember node = Maybe("pwqs_node"), pool = Maybe("pool");
  // The older name is the second.
  MaybeMember inactive = Maybe("inactive_works", "delayed_works");
};

class WorkWalker {
 public:
  explicit WorkWalker(const Walk& walk)
      : walk_(walk),
        data_(walk.types),
        text_(walk),
        names_(walk),
        identities_(walk),
        cursor_(Globals(walk).Address({"mayday_cursor_func"})) {}

  void WalkPool(Kva kva) {
    if (!IsInitialized(kva)) return;
    const WorkItemRow pool = PoolOf(kva);
    if (pool_.busy_hash && worker_.hentry) WalkWorkers(kva, pool);
    if (pool_.worklist && work_.entry) {
      WalkWorks(kva + pool_.worklist->offset, "pending", pool,
                fmt::format("work of pool {}", pool.pool.value_or(-1)));
    }
  }

  // What workqueues hold back since as much as they allow is under way already.
  void WalkInactive() {
    const auto queues = Globals(walk_).Address({"workqueues"});
    if (!queues || !queue_.node || !queue_.pwqs || !pwq_.node || !pwq_.inactive || !work_.entry)
      return;
    for (const Kva node : WalkList(walk_, *queues, "workqueues")) {
      const Kva queue = node - queue_.node->offset;
      const std::string name = names_.NameOf(queue).value_or("(no name)");
      for (const Kva pwq_node : WalkList(walk_, queue + queue_.pwqs->offset,
                                         fmt::format("pools of workqueue {}", name))) {
        WalkInactiveOf(pwq_node - pwq_.node->offset, name);
      }
    }
  }

  std::vector<WorkItemRow> Take() { return std::move(rows_); }

 private:
  // Early in boot the pools of each CPU are still zeros (workqueue_init_early).
  bool IsInitialized(Kva pool) const {
    if (!pool_.worklist) return true;
    const auto list = walk_.kernel.Read<std::array<uint64_t, 2>>(pool + pool_.worklist->offset);
    return !list || *list != std::array<uint64_t, 2>();
  }

  // What all rows of a pool have in common.
  WorkItemRow PoolOf(Kva kva) {
    const auto [found, is_new] = pools_.try_emplace(kva.value());
    if (!is_new) return found->second;
    WorkItemRow row;
    row.pool_kva = Hex(kva);
    CellReader pool(walk_, kva, "a worker pool");
    columns_.Read(pool, row);
    const auto attrs = pool.Pointer(pool_.attrs);
    if (attrs && !attrs->is_null()) {
      row.nice = CellReader(walk_, *attrs, "a pool's attributes").Integer(attrs_.nice);
    }
    found->second = row;
    return row;
  }

  void WalkWorkers(Kva pool_kva, const WorkItemRow& pool) {
    const auto firsts = ReadBuckets(walk_.kernel, pool_kva, *pool_.busy_hash);
    const std::string name = fmt::format("busy workers of pool {}", pool.pool.value_or(-1));
    if (!firsts) return walk_.anomalies.Add(firsts.error(), pool_kva, name);
    for (const Kva first : *firsts) {
      for (const Kva node : WalkChain(walk_, first, name)) {
        AddWorker(node - worker_.hentry->offset, pool);
      }
    }
  }

  void AddWorker(Kva kva, const WorkItemRow& pool) {
    CellReader worker(walk_, kva, "a worker");
    WorkItemRow row = pool;
    row.state = "running";
    row.worker_kva = Hex(kva);
    if (const auto task = worker.Pointer(worker_.task)) {
      TaskIdentity identity = identities_.Of(*task);
      row.worker_pid = identity.pid;
      row.worker_comm = std::move(identity.comm);
    }
    WorkItemRow its_next = row;
    row.work_kva = worker.HexOf(worker_.current_work);
    // The work itself may be gone: what runs may free it.
    if (const auto function = worker.Pointer(worker_.current_func)) SetFunction(*function, row);
    if (const auto pwq = worker.Pointer(worker_.current_pwq))
      row.workqueue = names_.NameOfPwq(*pwq);
    rows_.push_back(std::move(row));
    if (worker_.scheduled && work_.entry) {
      WalkWorks(kva + worker_.scheduled->offset, "scheduled", its_next,
                fmt::format("work of worker {:#x}", kva.value()));
    }
  }

  void WalkWorks(Kva head, const char* state, const WorkItemRow& like, const std::string& name) {
    int64_t position = 0;
    for (const Kva node : WalkList(walk_, head, name)) {
      const Kva kva = node - work_.entry->offset;
      CellReader work(walk_, kva, "a work item");
      const auto function = work.Pointer(work_.func);
      // A mark of a rescuer's in the list (kernel/workqueue.c: send_mayday) is no work.
      if (function && cursor_ && *function == *cursor_) continue;
      WorkItemRow row = like;
      row.state = state;
      row.position = position++;
      row.work_kva = Hex(kva);
      if (function) SetFunction(*function, row);
      if (const auto data = work.Unsigned(work_.data)) {
        if (const auto pwq = data_.PwqOf(*data)) row.workqueue = names_.NameOfPwq(*pwq);
      }
      rows_.push_back(std::move(row));
    }
  }

  void WalkInactiveOf(Kva kva, const std::string& queue) {
    CellReader pwq(walk_, kva, "a pool_workqueue");
    const auto pool = pwq.Pointer(pwq_.pool);
    if (!pool) return;
    const size_t before = rows_.size();
    const Kva head = kva + pwq_.inactive->offset;
    WalkWorks(head, "inactive", {}, fmt::format("inactive work of workqueue {}", queue));
    if (rows_.size() == before || pool->is_null()) return;
    const WorkItemRow of_pool = PoolOf(*pool);
    for (size_t i = before; i < rows_.size(); ++i) {
      rows_[i].pool_kva = of_pool.pool_kva;
      rows_[i].pool = of_pool.pool;
      rows_[i].cpu = of_pool.cpu;
      rows_[i].nice = of_pool.nice;
    }
  }

  void SetFunction(Kva function, WorkItemRow& row) {
    row.function_kva = Hex(function);
    row.function = FunctionName(text_, function);
  }

  Walk walk_;
  PoolMembers pool_{walk_};
  AttrsMembers attrs_{walk_};
  WorkerMembers worker_{walk_};
  WorkMembers work_{walk_};
  WorkqueueMembers queue_{walk_};
  PwqMembers pwq_{walk_};
  RowReader<WorkItemRow> columns_{walk_};
  WorkData data_;
  TextSymbols text_;
  WorkqueueNames names_;
  TaskIdentities identities_;
  std::optional<Kva> cursor_;
  std::unordered_map<uint64_t, WorkItemRow> pools_;
  std::vector<WorkItemRow> rows_;
};

}  // namespace

const RowTable<WorkItemRow>& WorkItemRow::Table() {
  using R = WorkItemRow;
  static const RowTable<R> table(
      "work_item", "What the kernel's worker threads do, and the work that waits for them.",
      Structure{"worker_pool"},
      {
          ReadCol<&R::pool>("pool", "", "Worker pool, as in the names of kworkers.", At("id")),
          ReadCol<&R::cpu>("cpu", "", "CPU that the pool is bound to; NULL for none.",
                           At("cpu").Unless(-1)),
          Col<&R::nice>("nice", "", "Nice value of the pool's workers."),
          Col<&R::state>("state", "",
                         "running, scheduled (next for a worker that runs something), pending, or "
                         "inactive (its workqueue has as much under way as it may)."),
          Col<&R::position>("position", "", "Place in its list, from 0."),
          Col<&R::function>("function", "", "What is to be done."),
          Col<&R::workqueue>("workqueue", "", "Name of the workqueue."),
          Col<&R::worker_pid>("worker_pid", "", "Kernel thread that does it."),
          Col<&R::worker_comm>("worker_comm", "", "Its name."),
          Col<&R::function_kva>("function_kva", "", "Address of the function."),
          Col<&R::work_kva>(
              "work_kva", "",
              "Address of the work_struct; of a running one it may be freed already."),
          Col<&R::worker_kva>("worker_kva", "", "Address of the struct worker."),
          Col<&R::pool_kva>("pool_kva", "", "Address of the worker_pool."),
      });
  return table;
}

Result<Walked<WorkItemRow>> WalkWorkItems(const GuestKernel& kernel, const WalkLimits& limits) {
  Anomalies anomalies("work_item");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  // A kernel that knows neither the variable nor its type has no workqueues of this kind.
  if (!kernel.symbol_kva("worker_pool_idr") && !walk.types.FindStruct("worker_pool")) {
    return Walked<WorkItemRow>();
  }
  WorkWalker walker(walk);
  for (const Kva pool : ListWorkerPools(walk)) walker.WalkPool(pool);
  walker.WalkInactive();
  return Walked<WorkItemRow>{walker.Take(), std::move(anomalies).Take()};
}

}  // namespace ktstr
