#include "kinds.h"

namespace ktstr::guest {

namespace {

using Run = void (*)(WorkerGroup& group);

// In the catalog's order.
constexpr std::pair<std::string_view, Run> kRun[] = {
    {"spin", RunSpin},
    {"yield", RunYield},
    {"bursty", RunBursty},
    {"sleep", RunSleep},
    {"pipe", RunPipe},
    {"futex", RunFutex},
    {"futex-fan-out", RunFutexFanOut},
    {"fork-exit", RunForkExit},
    {"nice-sweep", RunNiceSweep},
    {"affinity-churn", RunAffinityChurn},
    {"io-sync", RunIoSync},
    {"cache-pressure", RunCachePressure},
    {"mutex", RunMutex},
    {"rt-hog", RunRtHog},
    {"threads", RunThreads},
    {"futex-wait", RunFutexWait},
    {"pipe-wait", RunPipeWait},
    {"mutex-wait", RunMutexWait},
    {"zombie", RunZombie},
};

constexpr bool EveryEntryRuns() {
  if (std::size(kRun) != kWorkerCatalog.size()) return false;
  for (size_t i = 0; i < std::size(kRun); ++i) {
    if (kRun[i].first != kWorkerCatalog[i].name) return false;
  }
  return true;
}
static_assert(EveryEntryRuns());

}  // namespace

void RunWorker(const WorkerEntry& kind, WorkerGroup& group) {
  kRun[&kind - kWorkerCatalog.data()].second(group);
}

}  // namespace ktstr::guest
