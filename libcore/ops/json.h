// Requests and replies as JSON, one to one with their binary form (README.md shows both sides).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libcore/base/result.h"
#include "libcore/ops/request.h"

namespace ktstr {

// Bytes of JSON in a request or reply: what kOpRequestMax can become at most in practice.
inline constexpr size_t kOpJsonMax = size_t{4} << 20;

// Addresses are "0x…" strings, numbers are decimal (or "0x…" strings), bytes are hexadecimal
// strings; in a read {"bytes": N} asks for N of them. "mode" ("cold"), "direction" ("read"),
// "request_id" (0), "tag" ("") and "unchecked" (false) may be left out. Errors: kInvalidArgument,
// naming the place and what is wrong there: not JSON, a key or kind that is unknown, a number that
// does not fit, or beyond a limit of request.h.
Result<OpRequest> RequestFromJson(std::string_view text);
Result<OpReply> ReplyFromJson(std::string_view text);

// One line. Text must be UTF-8, as decoding ensures; other bytes are replaced.
std::string ToJson(const OpRequest& request);
std::string ToJson(const OpReply& reply);

}  // namespace ktstr
