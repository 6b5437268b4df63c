// Starts and ends workers and keeps their accounts.
#pragma once

#include <sys/types.h>

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "at_work.h"
#include "worker.h"

namespace ktstr::guest {

class WorkerPool {
 public:
  WorkerPool();

  // Starts what `spec` asks for: {"kind": "spin", "count": 2, "name": "spin", "tasks": 4, "seed":
  // 1, the kind's parameters, how to schedule it (task_setting.h)}; all but the kind may be left
  // out. Returns once every task of it runs, and tells `at_work` until then. "" or what went wrong.
  std::string Start(const nlohmann::json& spec, AtWork& at_work);
  // Kills the workers that were started under that name and still run. "" or that there are none.
  std::string Stop(const std::string& name);
  // Whether `pid` was a worker of ours that ended without having been stopped; if so, its name.
  bool EndedByItself(pid_t pid, std::string* name);

  // An array with one object per worker task: name, worker (the name that it was started under),
  // tid, rounds, longest_gap_ns, gap_ns (since the last round), ran_ns (since it began); the last
  // two end with the worker.
  nlohmann::json Accounts() const;

 private:
  struct Group {
    std::string worker;
    pid_t pid;
    int first, tasks;       // its accounts
    uint64_t ended_ns = 0;  // 0 while it runs
    bool stopped = false;
  };

  std::string StartGroup(const WorkerEntry& kind, const std::string& name, int index, int tasks,
                         nlohmann::json spec);
  std::string AwaitBegun(size_t first_group, AtWork& at_work) const;

  WorkerAccount* accounts_;
  int used_ = 0;
  std::vector<Group> groups_;
};

}  // namespace ktstr::guest
