// A stream that people and programs read, standard output above all: what is written there is
// written at once, and never lost unnoticed.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string_view>

#include "libcore/base/result.h"

namespace ktstr {

// May be used by several threads at once.
class Output {
 public:
  // Neither opens nor closes it.
  explicit Output(int fd) : fd_(fd) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // The program's own: file descriptor 1.
  static Output& Standard();

  // Writes all of it. Where the reader has gone (a pipe into `head`), that is no error, and nothing
  // is written any more. Errors: kIo, with the system's reason, from then on each time;
  // kInterrupted, when Ctrl-C came while the reader let us wait and an InterruptGuard lives.
  Status Write(std::string_view text);

  int fd() const { return fd_; }
  bool is_terminal() const;
  // Whether somebody can still read: who makes much, or makes it again and again, may end else.
  bool has_reader() const { return !reader_gone_; }
  // Why something that was written is lost; nothing as long as nothing is.
  std::optional<Error> lost() const;

 private:
  Status Refused(int error_number);

  const int fd_;
  mutable std::mutex mutex_;
  std::optional<Error> lost_;
  std::atomic<bool> reader_gone_ = false;
};

}  // namespace ktstr
