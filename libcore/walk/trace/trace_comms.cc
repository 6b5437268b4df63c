#include "libcore/walk/trace/trace_comms.h"

#include "libcore/walk/row/globals.h"
#include "libcore/walk/task/task_identity.h"
#include "libcore/walk/task/task_list.h"

namespace ktstr {

// The kernel keeps the names of the tasks that it traced last (kernel/trace/trace_sched_switch.c,
// trace.c before 6.10): pid & mask leads to a slot, the slot to the pid whose name is there.

namespace {

constexpr uint64_t kCommLength = 16;      // TASK_COMM_LEN
constexpr uint32_t kNoSlot = UINT32_MAX;  // NO_CMDLINE_MAP

}  // namespace

TraceComms::TraceComms(const Walk& walk) : walk_(walk), saved_(walk) {}

void TraceComms::Read() {
  if (const auto tasks = ListTasks(walk_)) {
    const TaskIdentities identities(walk_);
    for (const TaskRef& task : *tasks) {
      TaskIdentity identity = identities.Of(task.task);
      if (identity.pid && identity.comm && *identity.pid != 0) {
        tasks_.emplace(*identity.pid, *std::move(identity.comm));
      }
    }
  }
  buffer_ = Globals(walk_).Pointer({"savedcmd"});
  if (!buffer_ || !saved_.by_pid || !saved_.names) return;
  CellReader object(walk_, *buffer_, "the names of traced tasks");
  pids_ = object.Pointer(saved_.pids);
  count_ = object.Unsigned(saved_.count).value_or(0);
  slots_ = walk_.types.ElementCount(saved_.by_pid->type);
}

std::optional<std::string> TraceComms::Saved(int64_t pid) {
  if (!buffer_ || !pids_ || slots_ < 2 || pid < 0) return std::nullopt;
  // The array has a slot more than a power of two.
  const uint64_t slot_at = static_cast<uint64_t>(pid) & (slots_ - 2);
  const auto slot =
      walk_.kernel.Read<uint32_t>(*buffer_ + saved_.by_pid->offset + slot_at * sizeof(uint32_t));
  if (!slot || *slot == kNoSlot || *slot >= count_) return std::nullopt;
  const auto owner = walk_.kernel.Read<uint32_t>(*pids_ + *slot * sizeof(uint32_t));
  if (!owner || *owner != static_cast<uint64_t>(pid)) return std::nullopt;
  auto name =
      walk_.kernel.ReadString(*buffer_ + saved_.names->offset + *slot * kCommLength, kCommLength);
  if (!name || name->empty()) return std::nullopt;
  return *std::move(name);
}

std::optional<std::string> TraceComms::Of(int64_t pid) {
  if (pid == 0) return "<idle>";
  auto [known, is_new] = known_.try_emplace(pid);
  if (!is_new) return known->second;
  known->second = Saved(pid);
  if (!known->second) {
    const auto task = tasks_.find(pid);
    if (task != tasks_.end()) known->second = task->second;
  }
  return known->second;
}

}  // namespace ktstr
