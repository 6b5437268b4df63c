#include "kinds.h"

namespace ktstr::guest {

namespace {

constexpr WorkerKind kKinds[] = {
    {"spin", 1, RunSpin},          {"yield", 1, RunYield},          {"sleep", 1, RunSleep},
    {"pipe", 2, RunPipe},          {"futex-wait", 1, RunFutexWait}, {"threads", 4, RunThreads},
    {"pipe-wait", 1, RunPipeWait}, {"zombie", 1, RunZombie},        {"mutex-wait", 2, RunMutexWait},
};

}  // namespace

const WorkerKind* FindWorkerKind(const std::string& name) {
  for (const WorkerKind& kind : kKinds) {
    if (name == kind.name) return &kind;
  }
  return nullptr;
}

std::string WorkerKindNames() {
  std::string names;
  for (const WorkerKind& kind : kKinds) {
    if (!names.empty()) names += ", ";
    names += kind.name;
  }
  return names;
}

}  // namespace ktstr::guest
