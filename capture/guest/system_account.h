// The guest's own account of its cgroups, CPUs and timers, out of /sys and /proc: what a reader of
// the frozen machine is compared with.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace ktstr::guest {

// "cgroups": one object per cgroup of v2: path, id, threads (how many), and files, the text of
// those interface files of cgroup, cpu and cpuset that are there. "cpus": per online CPU the text
// of its files below topology, and its node. "schedstat", "sched_debug" and "timer_list": the text
// of these files, empty where the kernel has none.
nlohmann::json ReadSystemAccount();

}  // namespace ktstr::guest
