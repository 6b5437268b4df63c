// How a process of ours is to be scheduled: what the host asks for, set by the process itself
// before it begins.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

// Puts the calling process under what `spec` says, each of which may be left out: "cgroup" (path of
// a cgroup that is there), "cpus" (a list such as "0-2,5"), "policy" ("other", "batch", "idle",
// "fifo", "rr", "ext"), "priority" (of fifo and rr, 1 to 99; 1 when left out), "nice". "" or what
// went wrong.
std::string ApplyTaskSetting(const nlohmann::json& spec);

// Init runs above what it watches: in the class rt at the highest priority, which its children do
// not inherit. Once on, it stays on.
void RunAboveAll();

}  // namespace ktstr::guest
