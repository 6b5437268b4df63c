// The log of one test: what was done and seen when, in a file.
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "libcore/base/result.h"

namespace ktstr {

class TestLog {
 public:
  // Errors: kIo.
  static Result<TestLog> Create(const std::filesystem::path& file);

  // "[  0.123 s] line", at once in the file.
  void Add(const std::string& line);
  // As it is.
  void AddText(const std::string& text);

  std::chrono::steady_clock::duration age() const {
    return std::chrono::steady_clock::now() - begun_;
  }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  explicit TestLog(std::FILE* file) : file_(file) {}

  std::unique_ptr<std::FILE, Closer> file_;
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

}  // namespace ktstr
