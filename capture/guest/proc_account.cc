#include "proc_account.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/klog.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace ktstr::guest {

namespace {

using nlohmann::json;

constexpr int kLogTailBytes = 32 * 1024;

std::vector<int> NumericNames(const std::string& directory) {
  std::vector<int> numbers;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return numbers;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
      numbers.push_back(atoi(entry->d_name));
    }
  }
  closedir(dir);
  return numbers;
}

// The fields of a stat line after the name in brackets; [0] is field 3 of proc(5), the state.
std::vector<std::string> FieldsAfterName(const std::string& stat) {
  std::vector<std::string> fields;
  size_t at = stat.rfind(')');
  if (at == std::string::npos) return fields;
  for (at += 2; at < stat.size();) {
    const size_t end = std::min(stat.find(' ', at), stat.size());
    fields.push_back(stat.substr(at, end - at));
    at = end + 1;
  }
  return fields;
}

// The number after "key:" in a status file, -1 where it is missing.
int64_t StatusNumber(const std::string& status, const std::string& key) {
  const size_t at = status.find("\n" + key + ":");
  return at == std::string::npos ? -1 : atoll(status.c_str() + at + key.size() + 2);
}

int64_t Number(const std::vector<std::string>& fields, int proc_field) {
  return atoll(fields[proc_field - 3].c_str());
}

void AppendTask(int tgid, int tid, json* rows) {
  const std::string base = "/proc/" + std::to_string(tgid) + "/task/" + std::to_string(tid) + "/";
  const std::string stat = ReadFile(base + "stat");
  const std::string status = ReadFile(base + "status");
  std::string comm = ReadFile(base + "comm");
  const auto fields = FieldsAfterName(stat);
  if (fields.size() < 39 || status.empty() || comm.empty()) return;
  comm.pop_back();
  rows->push_back({{"pid", tid},
                   {"tgid", tgid},
                   {"ppid", Number(fields, 4)},
                   {"comm", comm},
                   {"state", fields[0]},
                   {"utime_ticks", Number(fields, 14)},
                   {"stime_ticks", Number(fields, 15)},
                   {"priority", Number(fields, 18)},
                   {"nice", Number(fields, 19)},
                   {"start_ticks", Number(fields, 22)},
                   {"cpu", Number(fields, 39)},
                   {"rt_priority", Number(fields, 40)},
                   {"policy", Number(fields, 41)},
                   {"wchan", ReadFile(base + "wchan")},
                   {"schedstat", ReadFile(base + "schedstat")},
                   {"stack", ReadFile(base + "stack")},
                   {"nvcsw", StatusNumber(status, "voluntary_ctxt_switches")},
                   {"nivcsw", StatusNumber(status, "nonvoluntary_ctxt_switches")}});
}

int64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

json Clocks() {
  return {{"monotonic_ns", ClockNs(CLOCK_MONOTONIC)}, {"boottime_ns", ClockNs(CLOCK_BOOTTIME)}};
}

std::string KernelLogTail() {
  std::string text(kLogTailBytes, '\0');
  const int length = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, text.data(), kLogTailBytes);
  text.resize(length < 0 ? 0 : length);
  return text;
}

}  // namespace

std::string ReadFile(const std::string& path) {
  std::string text;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char buffer[16384];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  close(fd);
  return text;
}

json ReadTasks() {
  json rows = json::array();
  for (const int tgid : NumericNames("/proc")) {
    for (const int tid : NumericNames("/proc/" + std::to_string(tgid) + "/task")) {
      AppendTask(tgid, tid, &rows);
    }
  }
  return rows;
}

json ReadProcAccount() {
  json account;
  account["before"] = Clocks();
  account["tasks"] = ReadTasks();
  for (const char* name : {"uptime", "version", "cmdline", "schedstat", "loadavg", "stat"}) {
    account[name] = ReadFile(std::string("/proc/") + name);
  }
  account["hostname"] = ReadFile("/proc/sys/kernel/hostname");
  account["log"] = KernelLogTail();
  account["ticks_per_second"] = sysconf(_SC_CLK_TCK);
  account["after"] = Clocks();
  return account;
}

}  // namespace ktstr::guest
