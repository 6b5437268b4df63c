// A cell as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "libcore/walk/row/row.h"

namespace ktstr {

// NULL is null. Text is as it is: whoever writes it out escapes (see EscapeControls in output.h).
nlohmann::ordered_json JsonCell(const Value& value);

}  // namespace ktstr
