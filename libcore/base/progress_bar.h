// A progress bar, on a terminal only.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace ktstr {

// Draws itself on standard error, at most some times a second; nothing where that is no terminal.
class ProgressBar {
 public:
  explicit ProgressBar(std::string what);
  ~ProgressBar() { Clear(); }
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  void Show(uint64_t done, uint64_t all);
  // Takes it off the screen.
  void Clear();

 private:
  std::string what_;
  bool terminal_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace ktstr
