#include "capture/run/step_times.h"

#include <fmt/format.h>

#include "libcore/base/safe_text.h"

namespace ktstr {

StepTimes::Clock::duration& StepTimes::TimeOf(const std::string& step) {
  for (auto& [name, time] : steps_) {
    if (name == step) return time;
  }
  return steps_.emplace_back(step, 0).second;
}

std::string StepTimes::Begin(std::string step) {
  const Clock::time_point now = Clock::now();
  if (!step_.empty()) TimeOf(step_) += now - since_;
  since_ = now;
  if (!step.empty()) TimeOf(step);
  return std::exchange(step_, std::move(step));
}

TimeOfSteps StepTimes::End() && {
  Begin("");
  TimeOfSteps times;
  for (auto& [name, time] : steps_) {
    times.emplace_back(std::move(name), duration_cast<std::chrono::milliseconds>(time));
  }
  return times;
}

std::string ToText(const TimeOfSteps& steps) {
  std::string text;
  for (const auto& [name, time] : steps) {
    text += fmt::format("{}{} {:.3f} s", text.empty() ? "" : ", ", SafeText(name),
                        static_cast<double>(time.count()) / 1e3);
  }
  return text;
}

}  // namespace ktstr
