#include "libcore/base/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

namespace ktstr {

namespace {

constexpr std::chrono::milliseconds kInterval(50);
constexpr int kWidth = 40;

}  // namespace

ProgressBar::ProgressBar(std::string what)
    : what_(std::move(what)), terminal_(isatty(STDERR_FILENO) == 1) {}

void ProgressBar::Show(uint64_t done, uint64_t all) {
  const auto now = std::chrono::steady_clock::now();
  if (!terminal_ || all == 0 || (drawn_ && done < all && now - last_ < kInterval)) return;
  last_ = now;
  drawn_ = true;
  const int filled = static_cast<int>(done * kWidth / all);
  fmt::print(stderr, "\r{} [{:#<{}}{:.<{}}] {:3}%", what_, "", filled, "", kWidth - filled,
             done * 100 / all);
  std::fflush(stderr);
}

void ProgressBar::Clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace ktstr
