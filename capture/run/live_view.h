// What a person sees while tests run: on a terminal a line per running test, refreshed in place,
// and a line per verdict; else lines only.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "capture/run/test_run.h"
#include "libcore/base/output.h"

namespace ktstr {

// May be used by several threads at once.
class LiveView {
 public:
  // With `timing` also where the time of each test went.
  LiveView(Output& out, bool timing);
  LiveView(const LiveView&) = delete;
  LiveView& operator=(const LiveView&) = delete;

  void Step(const std::string& test, const std::string& step);
  void Finish(const TestResult& result);

 private:
  struct Running {
    std::string step;
    std::chrono::steady_clock::time_point begun;
  };

  void Tick(std::stop_token stop);
  // Lines that stay, in place of the drawn ones, and below them the running tests, drawn again.
  void Show(const std::string& lines);

  Output& out_;
  bool terminal_, timing_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::map<std::string, Running> running_;  // by test
  size_t drawn_ = 0;                        // lines
  // On a terminal the seconds go on by themselves. Last: it ends before what it uses.
  std::optional<std::jthread> ticker_;
};

// "healthy            passed       3.1 s", and below it what is wrong and where the archive is;
// with `timing` where the time went.
std::string ResultText(const TestResult& result, bool timing = false);

}  // namespace ktstr
