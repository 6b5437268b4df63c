#include "run_program.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <vector>

namespace ktstr::guest {

namespace {

// A file in memory with that content, read from its begin; -1 when it cannot be had.
int FileOf(const std::string& text) {
  const int fd = memfd_create("run", 0);
  if (fd < 0 || write(fd, text.data(), text.size()) != static_cast<ssize_t>(text.size())) return -1;
  lseek(fd, 0, SEEK_SET);
  return fd;
}

std::string ReadFrom(int fd) {
  std::string text;
  char buffer[4096];
  lseek(fd, 0, SEEK_SET);
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) text.append(buffer, n);
  return text;
}

}  // namespace

std::string RunProgram(const nlohmann::json& request, nlohmann::json* reply) {
  const auto arguments = request.value("argv", std::vector<std::string>());
  if (arguments.empty()) return "no argv";
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int in = FileOf(request.value("stdin", "")), out = FileOf("");
  if (in < 0 || out < 0) return std::string("a file in memory: ") + strerror(errno);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  if (pid > 0) waitpid(pid, &status, 0);
  (*reply)["status"] = status;
  (*reply)["stdout"] = ReadFrom(out);
  close(in);
  close(out);
  return pid < 0 ? std::string("fork: ") + strerror(errno) : "";
}

}  // namespace ktstr::guest
