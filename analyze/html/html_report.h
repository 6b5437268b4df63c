// The report: everything that a person looks at of a frozen machine, as one HTML file.
#pragma once

#include <string>

#include "analyze/index/database.h"
#include "libcore/base/result.h"

namespace ktstr {

// The page of an archive's index. `name` is what the user called the archive. Errors: those of
// Database::Query.
Result<std::string> HtmlReport(const Database& index, const std::string& name);

// The page's title: scheduler, trigger, time of the freeze, kernel; what is not known is left out.
// Errors: those of Database::Query.
Result<std::string> ReportTitle(const Database& index);

}  // namespace ktstr
