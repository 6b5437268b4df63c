// What somebody meant whose query names something that is not there.
#pragma once

#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// The error of a query, with the nearest table, function or column (of the tables in the query)
// when SQLite knows no such one and there is one that is near.
Error WithNearestName(Error error, std::string_view sql);

}  // namespace ktstr
