// Starts workers and keeps their accounts.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "worker.h"

namespace ktstr::guest {

class WorkerPool {
 public:
  WorkerPool();

  // Starts what `spec` asks for: {"kind": "spin", "count": 2, "name": "spin", "tasks": 4, …}; name
  // and tasks may be left out. Returns once every task of it runs. "" or what went wrong.
  std::string Start(const nlohmann::json& spec);

  // An array with one object per worker task: name, tid, rounds, longest_gap_ns.
  nlohmann::json Accounts() const;

 private:
  std::string StartGroup(const WorkerKind& kind, const std::string& name, int tasks,
                         const nlohmann::json& spec);
  std::string AwaitBegun(int first) const;

  WorkerAccount* accounts_;
  int used_ = 0;
};

}  // namespace ktstr::guest
