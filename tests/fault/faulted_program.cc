#include "faulted_program.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/system/memory_file.h"
#include "capture/system/processes.h"

namespace ktstr {

namespace {

using std::chrono::seconds;

constexpr seconds kPatience(30);

// "1234 (ktstr-thaw) S 1 …": proc(5).
bool IsGuardOfOurs(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const size_t name_end = line.rfind(") ");
  return line.find(" (ktstr-thaw) ") != std::string::npos &&
         std::atoi(line.c_str() + name_end + 4) == getpid();
}

}  // namespace

ProgramEnd RunToEnd(const std::vector<std::string>& argv) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const UniqueFd said = *MakeMemoryFile("said");
  auto program =
      ChildProcess::Start({.argv = argv, .stdout_fd = said.get(), .stderr_fd = said.get()});
  if (!program) return {-1, program.error().ToString()};
  const int status = program->Wait(After(seconds(120))).value_or(-1);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, *ReadTail(said.get(), 100'000)};
}

bool AwaitGuards() {
  const Deadline end = After(kPatience);
  for (const pid_t pid : ListProcesses()) {
    if (!IsGuardOfOurs(pid)) continue;
    const UniqueFd process(int(syscall(SYS_pidfd_open, pid, 0)));
    pollfd waiting = {process.get(), POLLIN, 0};
    if (poll(&waiting, 1, PollTimeout(end)) != 1 || waitpid(pid, nullptr, 0) != pid) return false;
  }
  return true;
}

std::string AwaitRunning(QmpClient& qmp) {
  const Deadline end = After(kPatience);
  for (;;) {
    const auto status = qmp.Execute("query-status");
    if (!status) return status.error().ToString();
    const std::string state = StringMember(*status, "status");
    if (state == "running" || !qmp.NextEvent(end)) return state;
  }
}

size_t OpenFiles(pid_t pid) {
  std::error_code error;
  const auto files = std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), error);
  return size_t(std::distance(begin(files), end(files)));
}

size_t HandedFiles(QmpClient& qmp) {
  const auto sets = qmp.Execute("query-fdsets");
  return sets ? sets->size() : SIZE_MAX;
}

}  // namespace ktstr
