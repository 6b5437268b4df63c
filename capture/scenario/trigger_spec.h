// What makes a test stop and keep its machine: the kinds of triggers, and one as a scenario asks
// for it.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace ktstr {

enum class TriggerKind : uint8_t {
  kSchedulerExit,
  kPanic,
  kOops,
  kSoftLockup,
  kMachineEnd,
  kWorkerExit,
  kPayloadExit,
  kSilent,
  kTimeOut,
  kRequest,
  kStall,
  kClockStuck,
  kWatchdog,
  kWorkerGap,
  kWrite,
  kReached,
  kPeriodic,
  kPhase,
};

struct TriggerEntry {
  TriggerKind kind;
  std::string_view name;
  std::string_view keys;  // what it takes, separated by blanks; with an asterisk what it needs
  bool always;            // armed whether a scenario names it or not
  std::string_view meaning;
};

inline constexpr std::array kTriggerCatalog = {
    TriggerEntry{TriggerKind::kSchedulerExit, "scheduler-exit", "", true,
                 "the sched_ext scheduler is about to end, whoever ended it; frozen with its exit "
                 "info filled in and its queues as they were"},
    TriggerEntry{TriggerKind::kPanic, "panic", "", true,
                 "the kernel has panicked; frozen with the message in its log, before it resets"},
    TriggerEntry{TriggerKind::kOops, "oops", "", true,
                 "the kernel has oopsed; frozen with all of it in the log, the task still there"},
    TriggerEntry{TriggerKind::kSoftLockup, "soft-lockup", "", true,
                 "the kernel's watchdog found a CPU that schedules no more"},
    TriggerEntry{TriggerKind::kMachineEnd, "machine-end", "", true,
                 "the machine was reset or switched off by itself"},
    TriggerEntry{TriggerKind::kWorkerExit, "worker-exit", "", true,
                 "a worker ended that nobody stopped"},
    TriggerEntry{TriggerKind::kPayloadExit, "payload-exit", "", true,
                 "a program of [[payload]] failed"},
    TriggerEntry{TriggerKind::kSilent, "silent", "over", true,
                 "init, which runs above all, gave no sign of life for so long (20s)"},
    TriggerEntry{TriggerKind::kTimeOut, "time-out", "", true,
                 "the test took longer than 'timeout' of [run]"},
    TriggerEntry{TriggerKind::kRequest, "request", "", true,
                 "a program in the guest wrote a line to /ktstr/capture"},
    TriggerEntry{TriggerKind::kStall, "stall", "over*", false,
                 "a task of the class ext has been runnable for so long without running"},
    TriggerEntry{TriggerKind::kClockStuck, "clock-stuck", "over*", false,
                 "the clock of a run queue with work on it stood still for so long"},
    TriggerEntry{TriggerKind::kWatchdog, "watchdog", "part", false,
                 "of sched_ext's watchdog timeout that part has gone by (0.5) for some task"},
    TriggerEntry{TriggerKind::kWorkerGap, "worker-gap", "over* worker", false,
                 "a task of that worker (any) did no round for so long"},
    TriggerEntry{
        TriggerKind::kWrite, "write", "symbol* size", false,
        "the kernel writes to the variable of that name (SYMBOL or SYMBOL+OFFSET), of size "
        "1, 2, 4 or 8 (4)"},
    TriggerEntry{TriggerKind::kReached, "reached", "symbol*", false,
                 "a CPU is about to execute the instruction at SYMBOL or SYMBOL+OFFSET"},
    TriggerEntry{TriggerKind::kPeriodic, "periodic", "every*", false,
                 "so much time has gone by again, counted from the begin of the first phase"},
    TriggerEntry{TriggerKind::kPhase, "phase", "phase* after", false,
                 "so much time (0s) has gone by since that phase began"},
};

constexpr const TriggerEntry& EntryOf(TriggerKind kind) {
  return kTriggerCatalog[static_cast<size_t>(kind)];
}

struct TriggerSpec {
  TriggerKind kind;
  // Of stall, clock-stuck, worker-gap, silent; `every` of periodic; `after` of phase.
  std::chrono::microseconds over{};
  double part = 0.5;
  std::string symbol, worker, phase;
  int size = 4;  // in bytes
  // Whether the test fails by it and ends. Else the machine is kept and goes on, up to `most`
  // times.
  bool fails = true;
  int most = 10;
};

}  // namespace ktstr
