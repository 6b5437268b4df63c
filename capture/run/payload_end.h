// How a program of the user's ended, in words.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace ktstr {

// The last line of a program's output that has anything in it, at most 200 bytes of it and fit to
// be shown; "" when there is none.
std::string LastLine(std::string_view output);

// Of the guest's event "payload-exit" (capture/guest/protocol.h): "the program scx_simple ended
// with exit status 1: the last line of its output".
std::string DescribePayloadEnd(const nlohmann::json& event);

}  // namespace ktstr
