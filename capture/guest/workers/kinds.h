// The kinds of workers, one function and one file each. What each does, and its parameters, is in
// worker_catalog.h.
#pragma once

#include "../worker.h"

namespace ktstr::guest {

void RunSpin(WorkerGroup& group);
void RunYield(WorkerGroup& group);
void RunBursty(WorkerGroup& group);
void RunSleep(WorkerGroup& group);
void RunPipe(WorkerGroup& group);
void RunFutex(WorkerGroup& group);
void RunFutexFanOut(WorkerGroup& group);
void RunForkExit(WorkerGroup& group);
void RunNiceSweep(WorkerGroup& group);
void RunAffinityChurn(WorkerGroup& group);
void RunIoSync(WorkerGroup& group);
void RunCachePressure(WorkerGroup& group);
void RunMutex(WorkerGroup& group);
void RunRtHog(WorkerGroup& group);
void RunThreads(WorkerGroup& group);
void RunFutexWait(WorkerGroup& group);
void RunPipeWait(WorkerGroup& group);
void RunMutexWait(WorkerGroup& group);
void RunZombie(WorkerGroup& group);

}  // namespace ktstr::guest
