// Reads members of JSON that a peer sent, where any of them may be missing or of another type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// nullptr when `object` is no object or has no such member.
const nlohmann::json* JsonMember(const nlohmann::json& object, const char* name);

// `otherwise` when there is no such string.
std::string StringMember(const nlohmann::json& object, const char* name,
                         std::string otherwise = "");

std::optional<int64_t> IntegerMember(const nlohmann::json& object, const char* name);

// False when there is no such member or it is no boolean.
bool BoolMember(const nlohmann::json& object, const char* name);

// As text for a message: one line, valid UTF-8, at most `limit` bytes.
std::string Brief(const nlohmann::json& value, size_t limit = 200);

// kPeer: `who` answers a command with something of another type than it has.
Error StrangeAnswer(const std::string& who, std::string_view command, const nlohmann::json& answer);

}  // namespace ktstr
