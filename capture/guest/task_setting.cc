#include "task_setting.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "cgroup.h"

namespace ktstr::guest {

namespace {

using nlohmann::json;

constexpr std::pair<const char*, int> kPolicies[] = {
    {"other", SCHED_OTHER}, {"batch", SCHED_BATCH}, {"idle", SCHED_IDLE},
    {"fifo", SCHED_FIFO},   {"rr", SCHED_RR},       {"ext", 7}};  // include/uapi/linux/sched.h

std::string Failed(const std::string& what) { return what + ": " + strerror(errno); }

bool ParseCpuList(const std::string& text, cpu_set_t* set) {
  CPU_ZERO(set);
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    int first = 0, last = 0;
    auto parsed = std::from_chars(at, end, first);
    if (parsed.ec != std::errc()) return false;
    last = first;
    if (parsed.ptr < end && *parsed.ptr == '-') {
      parsed = std::from_chars(parsed.ptr + 1, end, last);
      if (parsed.ec != std::errc()) return false;
    }
    if (first < 0 || last >= CPU_SETSIZE || first > last) return false;
    for (int cpu = first; cpu <= last; ++cpu) CPU_SET(cpu, set);
    at = parsed.ptr;
    if (at < end && *at++ != ',') return false;
  }
  return CPU_COUNT(set) > 0;
}

std::string SetPolicy(const json& spec) {
  const std::string wanted = spec.value("policy", "other");
  for (const auto& [name, policy] : kPolicies) {
    if (wanted != name) continue;
    sched_param parameters = {};
    const bool real_time = policy == SCHED_FIFO || policy == SCHED_RR;
    parameters.sched_priority = real_time ? spec.value("priority", 1) : 0;
    return sched_setscheduler(0, policy, &parameters) == 0 ? "" : Failed("policy " + wanted);
  }
  return "there is no policy '" + wanted + "'";
}

std::string JoinCgroup(const std::string& path) {
  const std::string file = kCgroupRoot + path + "/cgroup.procs";
  const int fd = open(file.c_str(), O_WRONLY | O_CLOEXEC);
  const bool done = fd >= 0 && write(fd, "0", 1) == 1;
  const std::string error = done ? "" : Failed("joining cgroup " + path);
  if (fd >= 0) close(fd);
  return error;
}

}  // namespace

std::string ApplyTaskSetting(const json& spec) {
  if (spec.contains("cgroup")) {
    std::string error = JoinCgroup(spec["cgroup"]);
    if (!error.empty()) return error;
  }
  if (spec.contains("cpus")) {
    const std::string list = spec["cpus"];
    cpu_set_t set;
    if (!ParseCpuList(list, &set)) return "'" + list + "' is no list of CPUs";
    if (sched_setaffinity(0, sizeof set, &set) != 0) return Failed("CPUs " + list);
  }
  if (spec.contains("nice") && setpriority(PRIO_PROCESS, 0, spec["nice"].get<int>()) != 0) {
    return Failed("nice " + spec["nice"].dump());
  }
  return spec.contains("policy") ? SetPolicy(spec) : "";
}

void RunAboveAll() {
  sched_param parameters = {};
  parameters.sched_priority = 99;
  sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters);
}

}  // namespace ktstr::guest
