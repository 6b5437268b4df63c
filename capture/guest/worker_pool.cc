#include "worker_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "task_setting.h"

namespace ktstr::guest {

namespace {

constexpr int kMaxTasks = 65'536;
constexpr uint64_t kBeginTimeoutNs = 60'000'000'000;  // since the last one began

void UnblockSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Without reaping it, which is for whoever tells the host of it.
bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid;
}

std::string KindNames() {
  std::string names;
  for (const WorkerEntry& kind : kWorkerCatalog) {
    if (!names.empty()) names += ", ";
    names += kind.name;
  }
  return names;
}

}  // namespace

WorkerPool::WorkerPool() {
  void* shared = mmap(nullptr, kMaxTasks * sizeof(WorkerAccount), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  accounts_ = shared == MAP_FAILED ? nullptr : static_cast<WorkerAccount*>(shared);
}

std::string WorkerPool::Start(const nlohmann::json& spec, AtWork& at_work) {
  const std::string kind_name = spec.value("kind", "");
  const WorkerEntry* kind = FindWorkerEntry(kind_name);
  if (kind == nullptr) {
    return "there is no worker kind '" + kind_name + "'; there are " + KindNames();
  }
  const std::string name = spec.value("name", kind_name);
  const int count = spec.value("count", 1);
  const int tasks = spec.value("tasks", kind->tasks);
  if (count < 0 || tasks < kind->tasks || count > kMaxTasks || tasks > kMaxTasks) {
    return "worker '" + name + "': a count of " + std::to_string(count) + " with " +
           std::to_string(tasks) + " tasks each is out of range";
  }
  const std::string policy = spec.value("policy", "");
  if (kind_name == "rt-hog" || policy == "fifo" || policy == "rr") RunAboveAll();
  const size_t first = groups_.size();
  for (int i = 0; i < count; ++i) {
    std::string error = StartGroup(*kind, name, i, tasks, spec);
    if (!error.empty()) return error;
    at_work.Tell();
  }
  return AwaitBegun(first, at_work);
}

std::string WorkerPool::StartGroup(const WorkerEntry& kind, const std::string& name, int index,
                                   int tasks, nlohmann::json spec) {
  if (accounts_ == nullptr || used_ + tasks > kMaxTasks) {
    return "no room for more than " + std::to_string(kMaxTasks) + " worker tasks";
  }
  // Each one draws numbers of its own.
  spec["seed"] = spec.value("seed", int64_t{1}) * 1'000'003 + index;
  WorkerGroup group = {accounts_ + used_, tasks, spec};
  for (int i = 0; i < tasks; ++i) {
    // The tasks of one group are told apart by a letter: pipe-0a, pipe-0b. A long name is cut, not
    // what tells them apart.
    std::string suffix = "-" + std::to_string(index);
    if (tasks > 1) suffix += char('a' + i % 26);
    snprintf(group.accounts[i].name, sizeof group.accounts[i].name, "%s%s",
             name.substr(0, 15 - suffix.size()).c_str(), suffix.c_str());
  }
  const pid_t pid = fork();
  if (pid < 0) return "starting worker '" + name + "': " + strerror(errno);
  if (pid == 0) {
    UnblockSignals();
    setpgid(0, 0);  // with its children, for Stop
    const std::string error = ApplyTaskSetting(spec);
    snprintf(group.accounts->error, sizeof group.accounts->error, "%s", error.c_str());
    if (error.empty()) RunWorker(kind, group);
    _exit(1);
  }
  setpgid(pid, pid);  // whoever of the two comes first
  groups_.push_back({name, pid, used_, tasks});
  used_ += tasks;
  return "";
}

std::string WorkerPool::AwaitBegun(size_t first_group, AtWork& at_work) const {
  for (size_t g = first_group; g < groups_.size(); ++g) {
    const Group& group = groups_[g];
    for (int i = group.first; i < group.first + group.tasks; ++i) {
      const uint64_t deadline = NowNs() + kBeginTimeoutNs;
      while (accounts_[i].tid.load() == 0) {
        const bool ended = HasEnded(group.pid);
        const std::string why = accounts_[group.first].error;
        if (ended || NowNs() > deadline) {
          return std::string("worker '") + accounts_[i].name + "' did not start" +
                 (why.empty() ? "" : ": " + why);
        }
        at_work.Tell();
        SleepFor(1'000'000);
      }
    }
  }
  return "";
}

std::string WorkerPool::Stop(const std::string& name) {
  bool found = false;
  for (Group& group : groups_) {
    if (group.worker != name || group.ended_ns != 0) continue;
    found = true;
    group.stopped = true;
    group.ended_ns = NowNs();
    kill(-group.pid, SIGKILL);
  }
  return found ? "" : "no worker '" + name + "' runs";
}

bool WorkerPool::EndedByItself(pid_t pid, std::string* name) {
  for (Group& group : groups_) {
    if (group.pid != pid) continue;
    if (group.ended_ns == 0) group.ended_ns = NowNs();
    *name = group.worker;
    return !group.stopped;
  }
  return false;
}

nlohmann::json WorkerPool::Accounts() const {
  nlohmann::json rows = nlohmann::json::array();
  for (const Group& group : groups_) {
    for (int i = group.first; i < group.first + group.tasks; ++i) {
      const WorkerAccount& account = accounts_[i];
      const uint64_t last = account.last_round_ns.load(), began = account.began_ns.load();
      // Read last: never before a round that is counted.
      const uint64_t now = group.ended_ns != 0 ? group.ended_ns : NowNs();
      rows.push_back({{"name", account.name},
                      {"worker", group.worker},
                      {"tid", account.tid.load()},
                      {"rounds", account.rounds.load()},
                      {"longest_gap_ns", account.longest_gap_ns.load()},
                      {"gap_ns", now > last ? now - last : 0},
                      {"ran_ns", now > began ? now - began : 0}});
    }
  }
  return rows;
}

}  // namespace ktstr::guest
