// How much the kernel's tracing had recorded, and over which time: what the summary and the report
// say of it in a line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "analyze/index/database.h"

namespace ktstr {

struct TraceExtent {
  int64_t events = 0;                  // in table trace
  int64_t held = 0;                    // in the buffers: more, where the table has the newest only
  std::optional<int64_t> span_ns;      // from the first of them to the last
  std::optional<int64_t> last_age_ns;  // from the last of them to the freeze
  int64_t undated = 0;                 // of the events, by clocks that do not tell their age
  int64_t overwritten = 0, lost = 0;   // as the kernel counts: by newer ones, and not recorded
};

// Errors: those of Database::Query.
Result<TraceExtent> ReadTraceExtent(const Database& index);

// "452 events over 1.664 s, the last 0.009 s before the freeze; 12 more were overwritten". What is
// not known is left out.
std::string TraceExtentText(const TraceExtent& extent);

}  // namespace ktstr
