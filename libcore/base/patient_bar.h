// A progress bar for work that may turn out to be short: drawn when it is not done after a while.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "libcore/base/progress_bar.h"

namespace ktstr {

// Draws by a thread of its own, so that it also appears in the middle of one long step. On a
// terminal only; elsewhere there is no thread.
class PatientBar {
 public:
  explicit PatientBar(std::string what,
                      std::chrono::milliseconds patience = std::chrono::seconds(1));
  // Takes it off the screen.
  ~PatientBar();
  PatientBar(const PatientBar&) = delete;
  PatientBar& operator=(const PatientBar&) = delete;

  // The bar's time begins with the first call. `all` is not 0.
  void Set(uint64_t done, uint64_t all);

 private:
  void Draw();

  std::string what_;
  std::chrono::milliseconds patience_;
  std::atomic<uint64_t> done_ = 0, all_ = 1;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::optional<std::jthread> thread_;
};

}  // namespace ktstr
