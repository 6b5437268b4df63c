#include "ktstr/walk/wait/wait.h"

#include <fmt/format.h>

#include <unordered_set>

#include "ktstr/walk/fields.h"
#include "ktstr/walk/task_identity.h"
#include "ktstr/walk/wait/stack_scan.h"
#include "ktstr/walk/wait/stack_waiters.h"
#include "ktstr/walk/wait/waiter_kind.h"

namespace ktstr {

namespace {

constexpr uint64_t kRtMutexFlags = 3;      // RT_MUTEX_HAS_WAITERS and the one beside it
constexpr uint64_t kRwsemReaderOwned = 1;  // RWSEM_READER_OWNED, kernel/locking/rwsem.c
constexpr uint64_t kFutexOffsetFlags = 3;  // FUT_OFF_INODE | FUT_OFF_MMSHARED

class WaitWalker {
 public:
  WaitWalker(const Walk& walk, const std::unordered_set<uint64_t>& tasks)
      : walk_(walk), tasks_(tasks), identities_(walk), waiters_(walk, tasks) {
    Fields task(walk, "task_struct");
    state_ = task.Need("__state", "state");
    on_rq_ = task.Need("on_rq");
    mm_ = task.Maybe("mm");
    blocked_on_ = task.Maybe("pi_blocked_on");
    Fields rt_waiter(walk, "rt_mutex_waiter");
    rt_lock_ = rt_waiter.Maybe("lock");
    rt_owner_ = Fields(walk, "rt_mutex_base").Maybe("owner");
    Fields futex(walk, "futex_q");
    futex_task_ = futex.Maybe("task");
    futex_mm_ = futex.Maybe("key.private.mm");
    futex_page_ = futex.Maybe("key.private.address");
    futex_offset_ = futex.Maybe("key.private.offset");
    Fields pipe(walk, "pipe_inode_info");
    pipe_read_wait_ = pipe.Maybe("rd_wait");
    pipe_write_wait_ = pipe.Maybe("wr_wait");
    pipe_readers_ = pipe.Maybe("readers");
    pipe_writers_ = pipe.Maybe("writers");
  }

  // `stack`: the frames of one task.
  std::optional<LockWaitRow> Read(std::span<const StackFrameRow> stack) {
    const Kva kva(stack.front().task_kva.value);
    if (stack.front().running != 0 || !stack.front().sp) return std::nullopt;
    CellReader task(walk_, kva, "a sleeping task");
    if (task.Integer(state_).value_or(0) == 0 || task.Integer(on_rq_).value_or(1) != 0) {
      return std::nullopt;
    }
    const auto guess = GuessWaiter(stack);
    if (!guess) return std::nullopt;
    LockWaitRow row;
    row.kind = WaiterKindName(guess->kind);
    row.function = *guess->frame->symbol;
    row.task_kva = Hex(kva);
    const Kva begin(stack.front().sp->value), end = TopOf(stack);
    const bool found = guess->kind == WaiterKind::kRtMutex ? FindRtMutex(task, row)
                       : guess->kind == WaiterKind::kFutex
                           ? FindFutex(task, begin, end, row)
                           : FindOnStack(guess->kind, kva, begin, end, row);
    if (!found) return std::nullopt;
    const TaskIdentity identity = identities_.Of(kva);
    row.pid = identity.pid;
    row.comm = identity.comm;
    if (row.lock_kva) row.lock_symbol = NameOf(Kva(row.lock_kva->value));
    return row;
  }

 private:
  static Kva TopOf(std::span<const StackFrameRow> stack) {
    Kva top(0);
    for (const StackFrameRow& frame : stack) {
      if (frame.sp && frame.kind != "end") top = std::max(top, Kva(frame.sp->value));
    }
    return top;
  }

  bool FindOnStack(WaiterKind kind, Kva task, Kva begin, Kva end, LockWaitRow& row) {
    const WaiterShape shape = *ShapeOf(kind);
    const auto found = waiters_.Find(shape, task, begin, end);
    if (!found) return false;
    row.waiter_kva = Hex(found->waiter);
    row.lock_kva = Hex(found->lock);
    row.waiters = found->waiters;
    if (!shape.owner.empty()) FindOwner(shape, found->lock, row);
    if (kind == WaiterKind::kPipe) ReadPipe(row);
    return true;
  }

  void FindOwner(const WaiterShape& shape, Kva lock, LockWaitRow& row) {
    const auto member = walk_.types.FindMember(shape.lock, shape.owner);
    if (!member) return;
    const auto word = CellReader(walk_, lock, "a lock").Unsigned(MaybeMember(*member));
    if (!word) return;
    const bool by_readers = shape.lock == "rw_semaphore" && (*word & kRwsemReaderOwned) != 0;
    if (by_readers) row.owner_note = "held by readers, of which this was the last to come";
    SetOwner(*word & ~shape.owner_flags, row);
  }

  void SetOwner(uint64_t owner, LockWaitRow& row) {
    if (owner == 0) {
      row.owner_note = "nobody holds it now";
      return;
    }
    row.owner_kva = Hex(owner);
    // A reader that is long gone stays noted in its rwsem.
    if (!tasks_.contains(owner)) {
      row.owner_note = "no task of that address is left";
      return;
    }
    const TaskIdentity identity = identities_.Of(Kva(owner));
    row.owner_pid = identity.pid;
    row.owner_comm = identity.comm;
  }

  bool FindRtMutex(CellReader& task, LockWaitRow& row) {
    const auto waiter = task.Pointer(blocked_on_);
    if (!waiter || waiter->is_null() || !rt_lock_) return false;
    row.waiter_kva = Hex(*waiter);
    const auto lock = CellReader(walk_, *waiter, "an rt_mutex's waiter").Pointer(rt_lock_);
    if (!lock || lock->is_null()) return false;
    row.lock_kva = Hex(*lock);
    if (const auto owner = CellReader(walk_, *lock, "an rt_mutex").Unsigned(rt_owner_)) {
      SetOwner(*owner & ~kRtMutexFlags, row);
    }
    return true;
  }

  // struct futex_q (kernel/futex/futex.h) stands on the stack; of a private futex its key has the
  // task's own mm, which tells it from chance.
  bool FindFutex(CellReader& task, Kva begin, Kva end, LockWaitRow& row) {
    const auto mm = task.Pointer(mm_);
    if (!futex_task_ || !futex_mm_ || !futex_page_ || !futex_offset_ || !mm) return false;
    struct Futex {
      Kva waiter;
      uint64_t address;
    };
    const auto check = [&](Kva at) -> std::optional<Futex> {
      const Kva waiter = at - futex_task_->offset;
      CellReader futex(walk_.NotingIn(ignored_), waiter, "a futex's waiter");
      if (futex.Pointer(futex_mm_) != mm) return std::nullopt;
      const auto page = futex.Unsigned(futex_page_), offset = futex.Unsigned(futex_offset_);
      if (!page || !offset) return std::nullopt;
      return Futex{waiter, *page + (*offset & ~kFutexOffsetFlags)};
    };
    const auto found = ScanStack(walk_.kernel, task.object().base(), begin, end, check);
    if (!found) return false;
    row.waiter_kva = Hex(found->waiter);
    row.futex_address = Hex(found->address);
    return true;
  }

  // The wait queue is one of the two of a struct pipe_inode_info (fs/pipe.c).
  void ReadPipe(LockWaitRow& row) {
    const bool reads = row.function.find("read") != std::string::npos;
    const MaybeMember& queue = reads ? pipe_read_wait_ : pipe_write_wait_;
    if (!queue) return;
    const Kva pipe = Kva(row.lock_kva->value) - queue->offset;
    row.lock_kva = Hex(pipe);
    CellReader object(walk_, pipe, "a pipe");
    row.pipe_readers = object.Integer(pipe_readers_);
    row.pipe_writers = object.Integer(pipe_writers_);
  }

  // Static locks have names.
  std::optional<std::string> NameOf(Kva lock) const {
    const auto begin = walk_.kernel.symbol_kva("_sdata"), end = walk_.kernel.symbol_kva("_end");
    if (!begin || !end || lock < *begin || *end <= lock) return std::nullopt;
    const auto symbol = walk_.kernel.symbols().FindAt(lock.value());
    if (!symbol) return std::nullopt;
    const uint64_t offset = lock.value() - symbol->address;
    return offset == 0 ? std::string(symbol->name) : fmt::format("{}+{:#x}", symbol->name, offset);
  }

  Walk walk_;
  const std::unordered_set<uint64_t>& tasks_;
  Anomalies ignored_{""};
  TaskIdentities identities_;
  StackWaiters waiters_;
  MaybeMember state_, on_rq_, mm_, blocked_on_, rt_lock_, rt_owner_;
  MaybeMember futex_task_, futex_mm_, futex_page_, futex_offset_;
  MaybeMember pipe_read_wait_, pipe_write_wait_, pipe_readers_, pipe_writers_;
};

}  // namespace

const RowTable<LockWaitRow>& LockWaitRow::Table() {
  using R = LockWaitRow;
  static const RowTable<R> table(
      "lock_wait", "What sleeping tasks wait for, as far as their stacks tell.",
      {
          Col<&R::pid>("pid", "", "Thread that waits."),
          Col<&R::comm>("comm", "", "Its name."),
          Col<&R::kind>("kind", "",
                        "mutex, rwsem (read), rwsem (write), semaphore, rt_mutex, completion, "
                        "futex, pipe or wait queue."),
          Col<&R::lock_kva>("lock_kva", "", "Address of the lock, pipe or wait queue."),
          Col<&R::lock_symbol>("lock_symbol", "", "Its name, when it is a variable."),
          Col<&R::owner_pid>("owner_pid", "", "Thread that holds it, where the lock knows."),
          Col<&R::owner_comm>("owner_comm", "", "Its name."),
          Col<&R::owner_note>("owner_note", "", "What else is to be known of the owner."),
          Col<&R::waiters>("waiters", "", "How many wait for it, this one included."),
          Col<&R::futex_address>("futex_address", "", "futex: where it is in the process."),
          Col<&R::pipe_readers>("pipe_readers", "", "pipe: open descriptions to read from it."),
          Col<&R::pipe_writers>("pipe_writers", "", "pipe: open descriptions to write to it."),
          Col<&R::function>("function", "", "Function in which it waits."),
          Col<&R::owner_kva>("owner_kva", "", "Address of the owner's task_struct."),
          Col<&R::waiter_kva>("waiter_kva", "", "Address of the waiter, on the task's stack."),
          Col<&R::task_kva>("task_kva", "", "Address of the waiting task's task_struct."),
      });
  return table;
}

Result<Walked<LockWaitRow>> WalkLockWaits(const GuestKernel& kernel,
                                          std::span<const StackFrameRow> frames,
                                          const WalkLimits& limits) {
  Anomalies anomalies("lock_wait");
  const Walk walk = KTSTR_TRY(Walk::Of(kernel, anomalies, limits));
  std::unordered_set<uint64_t> tasks;
  for (const StackFrameRow& frame : frames) tasks.insert(frame.task_kva.value);
  WaitWalker walker(walk, tasks);
  Walked<LockWaitRow> walked;
  for (size_t begin = 0; begin < frames.size();) {
    size_t end = begin + 1;
    while (end < frames.size() && frames[end].task_kva == frames[begin].task_kva) ++end;
    if (auto row = walker.Read(frames.subspan(begin, end - begin))) {
      walked.rows.push_back(*std::move(row));
    }
    begin = end;
  }
  walked.anomalies = std::move(anomalies).Take();
  return walked;
}

}  // namespace ktstr
