// A program, or a function in a process, on a terminal of its own: as somebody at the keyboard has
// it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace ktstr {

class Terminal {
 public:
  // Runs it with nothing in its environment but what is given, "NAME=VALUE" each, and what
  // sanitizers are told.
  Terminal(std::vector<std::string> words, std::vector<std::string> environment,
           unsigned short columns = 120) {
    if (!Fork(columns)) return;
    std::vector<char*> arguments, variables;
    for (std::string& word : words) arguments.push_back(word.data());
    for (const char* name : {"ASAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) {
      if (const char* told = std::getenv(name)) {
        environment.push_back(std::string(name) + "=" + told);
      }
    }
    for (std::string& variable : environment) variables.push_back(variable.data());
    arguments.push_back(nullptr);
    variables.push_back(nullptr);
    execve(arguments[0], arguments.data(), variables.data());
    _exit(127);
  }
  // `run` must not fail a test: nobody would see it.
  explicit Terminal(const std::function<void()>& run) {
    if (!Fork(120)) return;
    run();
    _exit(0);
  }
  ~Terminal() {
    close(fd_);
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void Type(const std::string& keys) {
    ASSERT_EQ(write(fd_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }
  // Whether the text comes after what was waited for before. False when it does not for a minute,
  // or the program ends.
  bool Shows(const std::string& text) { return WaitFor(text, std::chrono::minutes(1)); }
  // Presses Ctrl-C, again and again until the text comes: what it is to end may not have begun.
  bool ShowsAtCtrlC(const std::string& text) {
    for (int i = 0; i < 600; ++i) {
      Type("\x03");
      if (WaitFor(text, std::chrono::milliseconds(100))) return true;
    }
    return false;
  }
  // The exit code of a program that ends by itself; -1 for one that does not.
  int ExitCode() {
    while (ReadMore(std::chrono::minutes(1))) {
    }
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) return -1;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  // Everything so far.
  const std::string& text() const { return text_; }

 private:
  // True in the child.
  bool Fork(unsigned short columns) {
    fflush(nullptr);  // a sanitizer writes out in the child, too, what is left
    const winsize size = {.ws_row = 50, .ws_col = columns};
    pid_ = forkpty(&fd_, nullptr, nullptr, &size);
    return pid_ == 0;
  }
  bool WaitFor(const std::string& text, std::chrono::milliseconds time) {
    const auto end = std::chrono::steady_clock::now() + time;
    for (;;) {
      const size_t found = text_.find(text, seen_);
      if (found != std::string::npos) {
        seen_ = found + text.size();
        return true;
      }
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          end - std::chrono::steady_clock::now());
      if (left.count() <= 0 || !ReadMore(left)) return false;
    }
  }
  bool ReadMore(std::chrono::milliseconds time) {
    pollfd poll_fd = {fd_, POLLIN, 0};
    if (poll(&poll_fd, 1, static_cast<int>(time.count())) != 1) return false;
    std::array<char, 4096> buffer;
    const ssize_t size = read(fd_, buffer.data(), buffer.size());
    if (size <= 0) return false;
    text_.append(buffer.data(), static_cast<size_t>(size));
    return true;
  }

  int fd_ = -1;
  pid_t pid_ = -1;
  std::string text_;
  size_t seen_ = 0;
};

}  // namespace ktstr
