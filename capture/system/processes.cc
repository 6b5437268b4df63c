#include "capture/system/processes.h"

#include <charconv>
#include <filesystem>
#include <string>

namespace ktstr {

std::vector<pid_t> ListProcesses() {
  std::vector<pid_t> processes;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    const char* end = name.data() + name.size();
    pid_t pid = 0;
    const auto [rest, wrong] = std::from_chars(name.data(), end, pid);
    if (wrong == std::errc() && rest == end) processes.push_back(pid);
  }
  return processes;
}

}  // namespace ktstr
