#include "capture/qemu/json_access.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

namespace ktstr {

using nlohmann::json;

const json* JsonMember(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nullptr : &*found;
}

std::string StringMember(const json& object, const char* name, std::string otherwise) {
  const json* member = JsonMember(object, name);
  return member != nullptr && member->is_string() ? member->get<std::string>()
                                                  : std::move(otherwise);
}

std::optional<int64_t> IntegerMember(const json& object, const char* name) {
  const json* member = JsonMember(object, name);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  return member->get<int64_t>();
}

bool BoolMember(const json& object, const char* name) {
  const json* member = JsonMember(object, name);
  return member != nullptr && member->is_boolean() && member->get<bool>();
}

std::string Brief(const json& value, size_t limit) {
  std::string text = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (text.size() > limit) text = text.substr(0, limit) + "…";
  return text;
}

Error StrangeAnswer(const std::string& who, std::string_view command, const json& answer) {
  return Error(ErrorCode::kPeer,
               fmt::format("{} answers '{}' with {}", who, command, Brief(answer)));
}

}  // namespace ktstr
