#include "analyze/text/trace_extent.h"

#include <fmt/format.h>

#include <algorithm>

#include "analyze/index/cells.h"

namespace ktstr {

namespace {

// total(), not sum(): what a damaged counter holds may be too much for a sum.
constexpr const char* kTraceExtentQuery =
    "SELECT events, held, span_ns, last_age_ns, undated, overwritten, lost FROM "
    "(SELECT count(*) AS events, max(age_ns) - min(age_ns) AS span_ns, min(age_ns) AS last_age_ns, "
    "count(*) - count(age_ns) AS undated FROM trace), "
    "(SELECT CAST(total(events) AS INTEGER) AS held, CAST(total(overrun) AS INTEGER) AS "
    "overwritten, "
    "CAST(total(commit_overrun) + total(dropped) AS INTEGER) AS lost FROM trace_buffer)";

std::optional<int64_t> TraceNumber(const Value& value) {
  const auto* integer = std::get_if<int64_t>(&value);
  return integer == nullptr ? std::nullopt : std::optional(*integer);
}

double TraceSeconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

}  // namespace

Result<TraceExtent> ReadTraceExtent(const Database& index) {
  const QueryResult rows = KTSTR_TRY(index.Query(kTraceExtentQuery));
  const auto& row = rows.rows[0];
  TraceExtent extent;
  extent.events = IntegerOf(row[0]);
  extent.held = std::max(extent.events, IntegerOf(row[1]));
  extent.span_ns = TraceNumber(row[2]);
  extent.last_age_ns = TraceNumber(row[3]);
  extent.undated = IntegerOf(row[4]);
  extent.overwritten = IntegerOf(row[5]);
  extent.lost = IntegerOf(row[6]);
  return extent;
}

std::string TraceExtentText(const TraceExtent& extent) {
  std::string text = fmt::format("{} event{}", extent.events, extent.events == 1 ? "" : "s");
  if (extent.held > extent.events) {
    text = fmt::format("the newest {} of {} events", extent.events, extent.held);
  }
  if (extent.span_ns && extent.events - extent.undated > 1) {
    text += fmt::format(" over {:.3f} s", TraceSeconds(*extent.span_ns));
  }
  if (extent.last_age_ns) {
    text += fmt::format(", the last {:.3f} s before the freeze", TraceSeconds(*extent.last_age_ns));
  }
  if (extent.undated > 0) {
    text += fmt::format("; how long before the freeze is not known of {}",
                        extent.undated == extent.events ? "them" : std::to_string(extent.undated));
  }
  if (extent.overwritten > 0) {
    text += fmt::format("; {} more {} overwritten", extent.overwritten,
                        extent.overwritten == 1 ? "was" : "were");
  }
  if (extent.lost > 0) text += fmt::format("; {} lost", extent.lost);
  return text;
}

}  // namespace ktstr
