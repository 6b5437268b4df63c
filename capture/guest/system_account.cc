#include "system_account.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cgroup.h"
#include "proc_account.h"

namespace ktstr::guest {

namespace {

using nlohmann::json;

std::vector<std::string> Directories(const std::string& directory) {
  std::vector<std::string> names;
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return names;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.push_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

// Without the newline at its end; null when it can't be read.
json TextOfFile(const std::string& path) {
  std::string text = ReadFile(path);
  if (text.empty()) return nullptr;
  if (text.back() == '\n') text.pop_back();
  return text;
}

void AppendCgroups(const std::string& path, json* rows) {
  const std::string directory = kCgroupRoot + path;
  json files = json::object();
  for (const char* name : {"cgroup.events", "cgroup.freeze", "cpu.weight", "cpu.idle", "cpu.max",
                           "cpu.stat", "cpuset.cpus", "cpuset.cpus.effective"}) {
    json text = TextOfFile(directory + "/" + name);
    if (!text.is_null()) files[name] = std::move(text);
  }
  const std::string threads = ReadFile(directory + "/cgroup.threads");
  struct stat info = {};
  stat(directory.c_str(), &info);
  rows->push_back({{"path", path.empty() ? "/" : path},
                   {"id", info.st_ino},
                   {"threads", std::count(threads.begin(), threads.end(), '\n')},
                   {"files", files}});
  for (const std::string& name : Directories(directory)) AppendCgroups(path + "/" + name, rows);
}

json ReadCpus() {
  json cpus = json::object();
  const std::string base = "/sys/devices/system/cpu";
  for (const std::string& name : Directories(base)) {
    if (name.compare(0, 3, "cpu") != 0 || name.size() < 4 || !isdigit(name[3])) continue;
    json cpu = json::object();
    for (const char* file : {"physical_package_id", "die_id", "cluster_id", "core_id",
                             "thread_siblings_list", "core_siblings_list", "die_cpus_list"}) {
      json text = TextOfFile(base + "/" + name + "/topology/" + file);
      if (!text.is_null()) cpu[file] = std::move(text);
    }
    cpus[name.substr(3)] = std::move(cpu);
  }
  for (const std::string& node : Directories("/sys/devices/system/node")) {
    for (const std::string& name : Directories("/sys/devices/system/cpu")) {
      const std::string link = "/sys/devices/system/node/" + node + "/" + name;
      struct stat info;
      if (cpus.contains(name.substr(3)) && stat(link.c_str(), &info) == 0) {
        cpus[name.substr(3)]["node"] = atoi(node.c_str() + 4);
      }
    }
  }
  return cpus;
}

}  // namespace

json ReadSystemAccount() {
  json cgroups = json::array();
  AppendCgroups("", &cgroups);
  return {{"cgroups", cgroups},
          {"cpus", ReadCpus()},
          {"schedstat", ReadFile("/proc/schedstat")},
          {"sched_debug", ReadFile("/sys/kernel/debug/sched/debug")},
          {"timer_list", ReadFile("/proc/timer_list")}};
}

}  // namespace ktstr::guest
