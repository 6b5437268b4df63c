#include "analyze/text/json_cell.h"

#include <nlohmann/json.hpp>
#include <type_traits>
#include <variant>

namespace ktstr {

nlohmann::ordered_json JsonCell(const Value& value) {
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
