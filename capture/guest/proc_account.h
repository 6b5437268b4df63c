// The guest's own account of itself, out of /proc: what a reader of the frozen machine is compared
// with.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace ktstr::guest {

// "" when the file can't be read.
std::string ReadFile(const std::string& path);

// One object per task (every thread of every process): pid, tgid, ppid, comm, state (letter),
// start_ticks, utime_ticks, stime_ticks (in ticks_per_second), cpu, priority (as in /proc/PID/stat:
// 20 + nice for normal tasks), nice, rt_priority, policy, nvcsw, nivcsw. Tasks that end meanwhile
// are left out.
nlohmann::json ReadTasks();

// Everything: tasks, and the text of uptime, version, cmdline, schedstat, loadavg, stat, hostname,
// the end of the kernel log, and ticks_per_second. The times before and after (monotonic_ns,
// boottime_ns) bound the moment.
nlohmann::json ReadProcAccount();

}  // namespace ktstr::guest
