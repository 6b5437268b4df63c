#include "payload_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "task_setting.h"

namespace ktstr::guest {

namespace {

using nlohmann::json;

constexpr off_t kMaxOutput = 65'536;

std::string TailOf(int fd) {
  struct stat status = {};
  fstat(fd, &status);
  const off_t from = status.st_size > kMaxOutput ? status.st_size - kMaxOutput : 0;
  std::string text(size_t(status.st_size - from), 0);
  const ssize_t n = pread(fd, text.data(), text.size(), from);
  text.resize(n > 0 ? size_t(n) : 0);
  return text;
}

// Puts what a program expects of the machine, and what only we have, below the root that it will
// have. /tmp is its own: the program itself may lie there.
std::string FurnishRoot(const std::string& root) {
  for (const char* place : {"/dev", "/proc", "/sys", "/boot", "/ktstr"}) {
    struct stat status = {};
    if (stat(place, &status) != 0) continue;
    const std::string there = root + place;
    mkdir(there.c_str(), 0755);
    if (mount(place, there.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) {
      return "mounting " + there + ": " + strerror(errno);
    }
  }
  mkdir((root + "/tmp").c_str(), 01777);
  return "";
}

[[noreturn]] void Become(const json& spec, int output, int errors) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);
  std::string error = ApplyTaskSetting(spec);
  const std::string root = spec.value("root", "");
  if (error.empty() && !root.empty() && (chroot(root.c_str()) != 0 || chdir("/") != 0)) {
    error = "the root " + root + ": " + strerror(errno);
  }
  const json environment = spec.value("env", json::object());
  for (const auto& [name, value] : environment.items()) {
    setenv(name.c_str(), value.get<std::string>().c_str(), 1);
  }
  std::vector<std::string> arguments = spec["argv"];
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  if (error.empty()) {
    execvp(argv[0], argv.data());
    error = arguments[0] + ": " + strerror(errno);
  }
  [[maybe_unused]] const ssize_t n = write(errors, error.data(), error.size());
  _exit(127);
}

}  // namespace

std::string PayloadPool::Start(const json& spec) {
  if (spec.value("argv", json::array()).empty()) return "no argv";
  const std::string name = spec.value("name", spec["argv"][0].get<std::string>());
  if (const std::string root = spec.value("root", ""); !root.empty()) {
    if (std::ranges::find(roots_, root) == roots_.end()) {
      if (std::string error = FurnishRoot(root); !error.empty()) return error;
      roots_.push_back(root);
    }
  }
  // It may load a scheduler, which must not have whoever tells of it.
  RunAboveAll();
  const int output = memfd_create(name.c_str(), MFD_CLOEXEC);
  int errors[2];
  if (output < 0 || pipe2(errors, O_CLOEXEC) != 0)
    return std::string("starting: ") + strerror(errno);
  // Appended to, so that what several processes write does not overlap.
  fcntl(output, F_SETFL, O_APPEND);
  const pid_t pid = fork();
  if (pid == 0) Become(spec, output, errors[1]);
  close(errors[1]);
  char text[512];
  const ssize_t n = pid < 0 ? 0 : read(errors[0], text, sizeof text);
  close(errors[0]);
  if (pid < 0) return std::string("fork: ") + strerror(errno);
  if (n > 0) return std::string(text, size_t(n));
  payloads_.push_back({name, pid, output, std::nullopt});
  return "";
}

std::string PayloadPool::Signal(const json& request) {
  const std::string name = request.value("name", "");
  for (const Payload& payload : payloads_) {
    if (payload.name != name || payload.status) continue;
    if (kill(-payload.pid, request.value("signal", 0)) == 0) return "";
    return "a signal to " + name + ": " + strerror(errno);
  }
  return "no program '" + name + "' runs";
}

bool PayloadPool::Ended(pid_t pid, int status, json* event) {
  for (Payload& payload : payloads_) {
    if (payload.pid != pid || payload.status) continue;
    payload.status = status;
    *event = {{"event", "payload-exit"},
              {"name", payload.name},
              {"status", status},
              {"output", TailOf(payload.output)}};
    return true;
  }
  return false;
}

json PayloadPool::Describe() const {
  json rows = json::array();
  for (const Payload& payload : payloads_) {
    rows.push_back({{"name", payload.name},
                    {"pid", payload.pid},
                    {"status", payload.status ? json(*payload.status) : json()},
                    {"output", TailOf(payload.output)}});
  }
  return rows;
}

}  // namespace ktstr::guest
