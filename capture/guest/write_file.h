// Writes to files of the guest's. Some of these kill the writer or the whole guest, as
// /proc/sysrq-trigger can, so a child process does the writing.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

// Lets a child write request["text"] to the file at request["path"], in one write, and waits for
// it:
// "" or what went wrong. With "wait": false it does not: for files such as /proc/sysrq-trigger,
// after which nothing may come. The child is an ordinary task, and as init is where it did not
// come to run for a tenth of a second.
std::string WriteFileOf(const nlohmann::json& request);

}  // namespace ktstr::guest
