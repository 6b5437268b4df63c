#include "capture/system/spare_memory.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>
#include <system_error>

namespace ktstr {

namespace {

using std::filesystem::path;

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

uint64_t AvailableMemory(const path& root) {
  std::ifstream information(root / "proc/meminfo");
  std::string name;
  uint64_t kib = 0;
  for (std::string rest; information >> name >> kib; std::getline(information, rest)) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return 0;
}

// What one version of control groups calls its files.
struct GroupFiles {
  const char* mount;
  const char* limit;
  const char* used;
};
constexpr GroupFiles kVersion1 = {"sys/fs/cgroup/memory", "memory.limit_in_bytes",
                                  "memory.usage_in_bytes"};
constexpr GroupFiles kVersion2 = {"sys/fs/cgroup", "memory.max", "memory.current"};

// Nothing where the file is not there, or holds no number ("max").
std::optional<uint64_t> NumberIn(const path& file) {
  std::ifstream in(file);
  uint64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

// What the group and those around it have left.
uint64_t LeftInGroup(const path& root, const GroupFiles& files, path group) {
  uint64_t left = kNoLimit;
  for (;; group = group.parent_path()) {
    const path directory = root / files.mount / group.relative_path();
    const auto limit = NumberIn(directory / files.limit);
    const auto used = NumberIn(directory / files.used);
    if (limit && used) left = std::min(left, *limit - std::min(*limit, *used));
    if (group.relative_path().empty()) return left;
  }
}

// proc_pid_cgroup(5): "number:controllers:group", of version 2 "0::group".
uint64_t LeftInGroups(const path& root) {
  std::ifstream groups(root / "proc/self/cgroup");
  uint64_t left = kNoLimit;
  for (std::string line; std::getline(groups, line);) {
    const size_t controllers = line.find(':');
    const size_t group =
        controllers == std::string::npos ? controllers : line.find(':', controllers + 1);
    if (group == std::string::npos) continue;
    const std::string names = "," + line.substr(controllers + 1, group - controllers - 1) + ",";
    if (names == ",,") {
      left = std::min(left, LeftInGroup(root, kVersion2, line.substr(group + 1)));
    } else if (names.find(",memory,") != std::string::npos) {
      left = std::min(left, LeftInGroup(root, kVersion1, line.substr(group + 1)));
    }
  }
  return left;
}

}  // namespace

uint64_t SpareMemory(const path& root) {
  constexpr uint64_t kMost = uint64_t{4} << 30;
  return std::min({kMost, AvailableMemory(root) / 4, LeftInGroups(root) / 4});
}

}  // namespace ktstr
