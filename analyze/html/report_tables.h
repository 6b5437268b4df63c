// Which tables a report shows, under which headings.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "libcore/walk/row/row.h"

namespace ktstr {

struct ReportTable {
  const char* section;  // heading that it stands under; those of one section follow each other
  const char* id;       // unique within the page
  const char* title;
  const char* sql;
  std::vector<const char*> sources;  // tables whose columns they are
  bool open = false;                 // shown at once, not when asked for
};

// So many events of the kernel's trace are in a report: the newest.
constexpr int64_t kReportTraceEvents = 2000;
// The section that is left out where nothing was traced.
constexpr std::string_view kTraceSection = "Trace";

// Without the table of tasks, which has its own query.
const std::vector<ReportTable>& ReportTables();

// The tasks, each with how long it waits and where: those that run first, then those that wait,
// the longest first.
const char* ReportTaskSql();

// The declaration of a table of the index, or nullptr.
const TableInfo* FindTableInfo(const char* name);

}  // namespace ktstr
