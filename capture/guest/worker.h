// What a worker is: a little load of a known kind that runs in the guest, in processes and threads
// with names of their own, and keeps an account of what it did.
#pragma once

#include <atomic>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "worker_catalog.h"

namespace ktstr::guest {

// What one worker task did so far. Lives in memory shared with init, which reads it while the
// worker goes on.
struct WorkerAccount {
  char name[16];                         // the task's comm
  std::atomic<int32_t> tid;              // 0 until the task runs
  std::atomic<uint64_t> rounds;          // units of work done; what one is, the kind says
  std::atomic<uint64_t> longest_gap_ns;  // longest time between two rounds
  std::atomic<uint64_t> began_ns;        // when the task began, by the monotonic clock
  std::atomic<uint64_t> last_round_ns;   // when its last round ended, or it began
  char error[104];                       // why it could not begin; only the group's first one's
};

// One running worker task: its name, its account, and the clock between rounds.
class WorkerTask {
 public:
  explicit WorkerTask(WorkerAccount* account) : account_(account) {}

  // To be called by the task itself, first: takes the account's name as comm and says that it runs.
  void Begin();
  // To be called after each unit of work.
  void Round();

 private:
  WorkerAccount* account_;
};

// What a kind of worker gets to run with. One WorkerGroup is one process, which the kind may split
// into more tasks: accounts[0] is the process's own.
struct WorkerGroup {
  WorkerAccount* accounts;     // one per task of the group
  int tasks;                   // how many
  const nlohmann::json& spec;  // as the host sent it: the kind's own parameters

  // A parameter of the worker's, or `otherwise` where the host gave none.
  int64_t Parameter(const char* name, int64_t otherwise) const;
};

// Runs for ever, in a process of its own.
void RunWorker(const WorkerEntry& kind, WorkerGroup& group);

// Runs `body(account)` in a new thread (group.accounts[index]); the thread never ends.
void StartThread(WorkerAccount* account, void (*body)(WorkerTask& task, void* argument),
                 void* argument);

// The monotonic clock, in ns.
uint64_t NowNs();
// Computes until so much time has gone by.
void ComputeFor(int64_t ns);
// Sleeps for so long.
void SleepFor(int64_t ns);

}  // namespace ktstr::guest
