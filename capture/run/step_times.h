// Where the time of a test goes, by what it does.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace ktstr {

// What is done, and for how long in all; in the order in which each was first begun.
using TimeOfSteps = std::vector<std::pair<std::string, std::chrono::milliseconds>>;

// One thing is done at a time.
class StepTimes {
 public:
  // What was done until now ends, and `step` begins, or goes on. Returns what ended.
  std::string Begin(std::string step);
  TimeOfSteps End() &&;

 private:
  using Clock = std::chrono::steady_clock;

  Clock::duration& TimeOf(const std::string& step);

  std::vector<std::pair<std::string, Clock::duration>> steps_;
  std::string step_;  // empty: none yet
  Clock::time_point since_;
};

// "boot 3.201 s, scheduler 0.650 s, work 0.500 s".
std::string ToText(const TimeOfSteps& steps);

}  // namespace ktstr
