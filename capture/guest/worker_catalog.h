// The kinds of workers by name, for the guest that runs them and for the host that checks what it
// is asked for.
#pragma once

#include <array>
#include <string_view>

namespace ktstr::guest {

struct WorkerEntry {
  std::string_view name;
  int tasks;                    // how many tasks one worker of it is, at least
  std::string_view parameters;  // whole numbers that it takes, separated by blanks
  std::string_view meaning;     // what it does, what a round is, the parameters' defaults
};

// The parameters that every kind takes.
inline constexpr std::string_view kCommonWorkerParameters = "tasks seed";

inline constexpr std::array kWorkerCatalog = {
    WorkerEntry{"spin", 1, "loops",
                "Computes and never gives the CPU away; a round is `loops` iterations (100000)."},
    WorkerEntry{"yield", 1, "", "Gives the CPU away again and again; a round is one sched_yield."},
    WorkerEntry{
        "bursty", 1, "busy_us idle_us",
        "Computes for about `busy_us` (2000), sleeps for about `idle_us` (8000), each drawn "
        "anew between half and one and a half of it; a round is both."},
    WorkerEntry{"sleep", 1, "us", "Sleeps `us` microseconds (1000) per round."},
    WorkerEntry{"pipe", 2, "", "Two processes that hand one byte back and forth; a round each."},
    WorkerEntry{"futex", 2, "",
                "Two threads that wake each other in turn by a futex; a round each."},
    WorkerEntry{"futex-fan-out", 4, "us",
                "One thread wakes all others at once, every `us` (2000); a round is a wake-up."},
    WorkerEntry{"fork-exit", 1, "",
                "Makes a child that ends at once, and waits for it; a round is one child."},
    WorkerEntry{"nice-sweep", 1, "us",
                "Computes, going from nice -20 to 19 and back by one each `us` (5000), a round."},
    WorkerEntry{"affinity-churn", 1, "us",
                "Computes, and each `us` (2000) moves to one CPU drawn anew, a round."},
    WorkerEntry{"io-sync", 1, "kib",
                "Writes `kib` KiB (64) to a file in memory, syncs and reads them; a round."},
    WorkerEntry{"cache-pressure", 1, "kib",
                "Walks through `kib` KiB (4096) in an order that caches cannot guess; a round is "
                "4096 steps."},
    WorkerEntry{
        "mutex", 4, "hold_us",
        "Threads that take one mutex in turn and hold it for `hold_us` (50); a round is one "
        "turn."},
    WorkerEntry{"rt-hog", 1, "priority",
                "Computes in the class rt (SCHED_FIFO at `priority`, 50); rounds as of spin."},
    WorkerEntry{"threads", 4, "",
                "One process of several threads: the first waits, the others compute and sleep in "
                "turn."},
    WorkerEntry{"futex-wait", 1, "", "Waits on a futex that nobody wakes; no rounds."},
    WorkerEntry{"pipe-wait", 1, "", "Reads from a pipe that nobody writes to; no rounds."},
    WorkerEntry{"mutex-wait", 2, "",
                "Two processes that read the serial console, into which nobody types: the one that "
                "waits for a character holds a mutex, for which the other one waits; no rounds."},
    WorkerEntry{"zombie", 1, "",
                "Waits, with a child that has ended and is never asked for; no rounds."},
};

// nullptr when there is no kind of that name.
constexpr const WorkerEntry* FindWorkerEntry(std::string_view name) {
  for (const WorkerEntry& entry : kWorkerCatalog) {
    if (entry.name == name) return &entry;
  }
  return nullptr;
}

}  // namespace ktstr::guest
