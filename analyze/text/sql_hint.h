// Suggests the right name where a query names a table, function or column that does not exist.
#pragma once

#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// The error that `sql` gave. If SQLite said that it knows no such table, function or column, and a
// similar name exists (of columns: in a table of the query), the message suggests that name.
Error WithNearestName(Error error, std::string_view sql);

}  // namespace ktstr
