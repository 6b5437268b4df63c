// Reads members of JSON that a peer sent, where any of them may be missing or of another type.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ktstr {

// nullptr when `object` is no object or has no such member.
inline const nlohmann::json* JsonMember(const nlohmann::json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return found == object.end() ? nullptr : &*found;
}

// `otherwise` when there is no such string.
inline std::string StringMember(const nlohmann::json& object, const char* name,
                                std::string otherwise = "") {
  const nlohmann::json* member = JsonMember(object, name);
  return member != nullptr && member->is_string() ? member->get<std::string>()
                                                  : std::move(otherwise);
}

inline std::optional<int64_t> IntegerMember(const nlohmann::json& object, const char* name) {
  const nlohmann::json* member = JsonMember(object, name);
  if (member == nullptr || !member->is_number_integer()) return std::nullopt;
  return member->get<int64_t>();
}

// False when there is no such member or it is no boolean.
inline bool BoolMember(const nlohmann::json& object, const char* name) {
  const nlohmann::json* member = JsonMember(object, name);
  return member != nullptr && member->is_boolean() && member->get<bool>();
}

// As text for a message: one line, valid UTF-8, at most `limit` bytes.
inline std::string Brief(const nlohmann::json& value, size_t limit = 200) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > limit) text = text.substr(0, limit) + "…";
  return text;
}

}  // namespace ktstr
