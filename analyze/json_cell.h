// A cell as JSON.
#pragma once

#include <nlohmann/json.hpp>

#include "ktstr/walk/row.h"

namespace ktstr {

// NULL is null. Text is as it is: whoever writes it out escapes (see EscapeControls in output.h).
inline nlohmann::ordered_json JsonCell(const Value& value) {
  return std::visit(
      [](const auto& cell) -> nlohmann::ordered_json {
        if constexpr (std::is_same_v<std::decay_t<decltype(cell)>, std::monostate>)
          return nullptr;
        else
          return cell;
      },
      value);
}

}  // namespace ktstr
