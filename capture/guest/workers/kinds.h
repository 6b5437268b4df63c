// The kinds of workers, one function and one file each.
#pragma once

#include "../worker.h"

namespace ktstr::guest {

// Computes without ever giving the CPU away; a round is `loops` iterations (default 100000).
void RunSpin(WorkerGroup& group);
// Gives the CPU away after each small piece of work; a round is one sched_yield.
void RunYield(WorkerGroup& group);
// Sleeps `us` microseconds (default 1000) per round.
void RunSleep(WorkerGroup& group);
// Two processes that hand one byte back and forth through pipes; a round is one hand-over.
void RunPipe(WorkerGroup& group);
// Tasks that wait on a futex which nobody ever wakes; no rounds.
void RunFutexWait(WorkerGroup& group);
// One process of several threads: the first waits, the others compute and sleep in turn.
void RunThreads(WorkerGroup& group);
// Reads from a pipe into which nobody ever writes; no rounds.
void RunPipeWait(WorkerGroup& group);
// Two processes that read the serial console, into which nobody types: the one that waits for a
// character holds a mutex, for which the other one waits; no rounds.
void RunMutexWait(WorkerGroup& group);
// Waits, with a child that has ended and that it never asks for; no rounds.
void RunZombie(WorkerGroup& group);

}  // namespace ktstr::guest
