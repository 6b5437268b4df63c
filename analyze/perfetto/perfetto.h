// Frozen machines as a trace for Perfetto: what the kernel's tracing had recorded, and around it
// what the tables say.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

struct PerfettoState {
  std::string archive;    // its name, for messages
  const Database* index;  // with findings
};

struct PerfettoTrace {
  std::string bytes;
  // Events of the kernel's tracing that are not in it: their clock cannot be compared with the
  // log's.
  uint64_t without_time = 0;
};

// States of one machine from one boot, in any order. Time is that of the kernel log. Of each state:
//
// - the events of the kernel's tracing, those that an earlier state has left out; where several
//   instances have traced sched events, those of the one that has most;
// - threads and processes; who ran on each CPU, and who had waited to run, since when;
// - the kernel log, the findings and the moment of the freeze as instants;
// - how long queues are (run queues, dispatch queues) as counters.
//
// Errors: kInvalidArgument where states are of different boots, or nothing says when one was
// frozen; those of Database::Query.
Result<PerfettoTrace> MakePerfettoTrace(std::span<const PerfettoState> states);

}  // namespace ktstr
