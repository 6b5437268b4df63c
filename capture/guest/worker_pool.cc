#include "worker_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

namespace ktstr::guest {

namespace {

constexpr int kMaxTasks = 65'536;
constexpr uint64_t kBeginTimeoutNs = 60'000'000'000;

void UnblockSignals() {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

WorkerPool::WorkerPool() {
  void* shared = mmap(nullptr, kMaxTasks * sizeof(WorkerAccount), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  accounts_ = shared == MAP_FAILED ? nullptr : static_cast<WorkerAccount*>(shared);
}

std::string WorkerPool::Start(const nlohmann::json& spec) {
  const std::string kind_name = spec.value("kind", "");
  const WorkerKind* kind = FindWorkerKind(kind_name);
  if (kind == nullptr) {
    return "there is no worker kind '" + kind_name + "'; there are " + WorkerKindNames();
  }
  const std::string name = spec.value("name", kind_name);
  const int count = spec.value("count", 1);
  const int tasks = spec.value("tasks", kind->tasks);
  if (count < 0 || tasks < kind->tasks || count > kMaxTasks || tasks > kMaxTasks) {
    return "worker '" + name + "': a count of " + std::to_string(count) + " with " +
           std::to_string(tasks) + " tasks each is out of range";
  }
  const int first = used_;
  for (int i = 0; i < count; ++i) {
    std::string error = StartGroup(*kind, name + "-" + std::to_string(i), tasks, spec);
    if (!error.empty()) return error;
  }
  return AwaitBegun(first);
}

std::string WorkerPool::StartGroup(const WorkerKind& kind, const std::string& name, int tasks,
                                   const nlohmann::json& spec) {
  if (accounts_ == nullptr || used_ + tasks > kMaxTasks) {
    return "no room for more than " + std::to_string(kMaxTasks) + " worker tasks";
  }
  WorkerGroup group = {accounts_ + used_, tasks, spec};
  for (int i = 0; i < tasks; ++i) {
    // The tasks of one group are told apart by a letter: pipe-0a, pipe-0b.
    const std::string suffix = tasks == 1 ? "" : std::string(1, char('a' + i % 26));
    snprintf(group.accounts[i].name, sizeof group.accounts[i].name, "%s%s",
             name.substr(0, 15 - suffix.size()).c_str(), suffix.c_str());
  }
  const pid_t pid = fork();
  if (pid < 0) return "starting worker '" + name + "': " + strerror(errno);
  if (pid == 0) {
    UnblockSignals();
    kind.run(group);
    _exit(0);
  }
  used_ += tasks;
  return "";
}

std::string WorkerPool::AwaitBegun(int first) const {
  const uint64_t deadline = NowNs() + kBeginTimeoutNs;
  for (int i = first; i < used_; ++i) {
    while (accounts_[i].tid.load() == 0) {
      if (NowNs() > deadline)
        return std::string("worker '") + accounts_[i].name + "' did not start";
      const timespec pause = {0, 1'000'000};
      nanosleep(&pause, nullptr);
    }
  }
  return "";
}

nlohmann::json WorkerPool::Accounts() const {
  nlohmann::json rows = nlohmann::json::array();
  for (int i = 0; i < used_; ++i) {
    const WorkerAccount& account = accounts_[i];
    rows.push_back({{"name", account.name},
                    {"tid", account.tid.load()},
                    {"rounds", account.rounds.load()},
                    {"longest_gap_ns", account.longest_gap_ns.load()}});
  }
  return rows;
}

}  // namespace ktstr::guest
