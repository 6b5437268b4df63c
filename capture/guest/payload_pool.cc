#include "payload_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

[[noreturn]] void Become(const json& spec, int output, int errors) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);
  std::string error = ApplyTaskSetting(spec);
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
