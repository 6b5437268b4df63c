#include "libcore/walk/wait/wait.h"

#include <fmt/format.h>

#include <unordered_set>

#include "libcore/walk/members/task.h"
#include "libcore/walk/row/row_reader.h"
#include "libcore/walk/task/task_identity.h"
#include "libcore/walk/wait/stack_scan.h"
#include "libcore/walk/wait/stack_waiters.h"
#include "libcore/walk/wait/waiter_kind.h"

namespace ktstr {

// The kernel keeps no list of who sleeps on what. But a task that waits for a lock has a structure
// on its own kernel stack that holds the task's address and is linked into the lock's list. So: the
// names of the functions on the stack say what kind of thing the task waits for (waiter_kind.h);
// the stack is searched for the task's address (stack_scan.h); and each place that has it is held
// against the structure of that kind, up to the lock on whose list it is (stack_waiters.h). Of an
// rt_mutex and of a futex there is a shorter way.

namespace {

constexpr uint64_t kRtMutexFlags = 3;      // RT_MUTEX_HAS_WAITERS and the one beside it
constexpr uint64_t kRwsemReaderOwned = 1;  // RWSEM_READER_OWNED, kernel/locking/rwsem.c
constexpr uint64_t kFutexOffsetFlags = 3;  // FUT_OFF_INODE | FUT_OFF_MMSHARED

struct SleeperMembers : Fields {
  explicit SleeperMembers(const Walk& walk) : Fields(walk, kTaskStruct) {}
  MaybeMember state = Need(task_member::kState), on_rq = Need(task_member::kOnRq), mm = Maybe("mm"),
              blocked_on = Maybe("pi_blocked_on");
};

struct RtWaiterMembers : Fields {
  explicit RtWaiterMembers(const Walk& walk) : Fields(walk, "rt_mutex_waiter") {}
  MaybeMember lock = Maybe("lock");
};

struct RtMutexMembers : Fields {
  explicit RtMutexMembers(const Walk& walk) : Fields(walk, "rt_mutex_base") {}
  MaybeMember owner = Maybe("owner");
};

struct FutexMembers : Fields {
  explicit FutexMembers(const Walk& walk) : Fields(walk, "futex_q") {}
  MaybeMember task = Maybe("task"), mm = Maybe("key.private.mm"),
              page = Maybe("key.private.address"), offset = Maybe("key.private.offset");
};

struct PipeMembers : Fields {
  explicit PipeMembers(const Walk& walk) : Fields(walk, "pipe_inode_info") {}
  MaybeMember read_wait = Maybe("rd_wait"), write_wait = Maybe("wr_wait");
};

class WaitWalker {
 public:
  WaitWalker(const Walk& walk, const std::unordered_set<uint64_t>& tasks)
      : walk_(walk), tasks_(tasks), identities_(walk), waiters_(walk, tasks) {}

  // `stack`: the frames of one task.
  std::optional<LockWaitRow> Read(std::span<const StackFrameRow> stack) {
    const Kva kva(stack.front().task_kva.value);
    if (stack.front().running != 0 || !stack.front().sp) return std::nullopt;
    CellReader task(walk_, kva, "a sleeping task");
    if (task.Integer(task_.state).value_or(0) == 0 || task.Integer(task_.on_rq).value_or(1) != 0) {
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
    const auto waiter = task.Pointer(task_.blocked_on);
    if (!waiter || waiter->is_null() || !rt_waiter_.lock) return false;
    row.waiter_kva = Hex(*waiter);
    const auto lock = CellReader(walk_, *waiter, "an rt_mutex's waiter").Pointer(rt_waiter_.lock);
    if (!lock || lock->is_null()) return false;
    row.lock_kva = Hex(*lock);
    if (const auto owner = CellReader(walk_, *lock, "an rt_mutex").Unsigned(rt_mutex_.owner)) {
      SetOwner(*owner & ~kRtMutexFlags, row);
    }
    return true;
  }

  // struct futex_q (kernel/futex/futex.h) stands on the stack; of a private futex its key has the
  // task's own mm, which tells it from chance.
  bool FindFutex(CellReader& task, Kva begin, Kva end, LockWaitRow& row) {
    const auto mm = task.Pointer(task_.mm);
    if (!futex_.task || !futex_.mm || !futex_.page || !futex_.offset || !mm) return false;
    struct Futex {
      Kva waiter;
      uint64_t address;
    };
    const auto check = [&](Kva at) -> std::optional<Futex> {
      const Kva waiter = at - futex_.task->offset;
      CellReader futex(walk_.NotingIn(ignored_), waiter, "a futex's waiter");
      if (futex.Pointer(futex_.mm) != mm) return std::nullopt;
      const auto page = futex.Unsigned(futex_.page), offset = futex.Unsigned(futex_.offset);
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
    const MaybeMember& queue = reads ? pipe_.read_wait : pipe_.write_wait;
    if (!queue) return;
    const Kva pipe = Kva(row.lock_kva->value) - queue->offset;
    row.lock_kva = Hex(pipe);
    CellReader object(walk_, pipe, "a pipe");
    columns_.Read(object, row);
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
  SleeperMembers task_{walk_};
  RtWaiterMembers rt_waiter_{walk_};
  RtMutexMembers rt_mutex_{walk_};
  FutexMembers futex_{walk_};
  PipeMembers pipe_{walk_};
  RowReader<LockWaitRow> columns_{walk_, "pipe_inode_info"};
  const std::unordered_set<uint64_t>& tasks_;
  Anomalies ignored_{""};
  TaskIdentities identities_;
  StackWaiters waiters_;
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
          ReadCol<&R::pipe_readers>("pipe_readers", "", "pipe: open descriptions to read from it.",
                                    MaybeAt("readers").Of("pipe_inode_info")),
          ReadCol<&R::pipe_writers>("pipe_writers", "", "pipe: open descriptions to write to it.",
                                    MaybeAt("writers").Of("pipe_inode_info")),
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
