#include "capture/run/scheduler_start.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "capture/qemu/json_access.h"
#include "capture/run/payload_end.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using std::chrono::milliseconds;

// The verifier takes many seconds on TCG.
constexpr std::chrono::seconds kLoaderTimeout(60);
constexpr milliseconds kLoaderPoll(50);

// Of the files below /sys/kernel/sched_ext: each scheduler has a directory, and in it its name, in
// "ops". Those of sub-schedulers lie below that of the one that they are of.
size_t SchedulersIn(const json& files) {
  size_t count = 0;
  for (const auto& [path, text] : files.items()) {
    if (path.ends_with("/ops")) ++count;
  }
  return count;
}

}  // namespace

Status SchedulerStart::Scheduler(const SchedulerSpec& scheduler) {
  if (scheduler.loader.empty()) {
    tell_("loading the scheduler " + fs::path(scheduler.object).filename().string());
    const auto loaded = monitor_.Ask(
        "scheduler-load", {{"object", scheduler.object}, {"variables", *scheduler.variables}});
    if (loaded) return {};
    if (loaded.error().code() != ErrorCode::kPeer || HasHungUp(machine_.channel().fd())) {
      return Fail(loaded.error());
    }
    // It is the scheduler that is at fault, not the test. The verifier has many words.
    const std::string why = loaded.error().ToString();
    log_.AddText(why + "\n");
    const size_t line = std::min(why.find('\n'), why.size());
    monitor_.Fire({.trigger = "scheduler-load",
                   .detail = why.substr(0, line) + (line < why.size() ? " (more in the log)" : ""),
                   .values = {{"error", why}}});
    return {};
  }
  tell_("starting the scheduler's loader " + scheduler.loader[0]);
  const size_t before = KTSTR_TRY(Count());
  KTSTR_TRY(monitor_.Ask(
      "payload",
      {{"name", kLoaderName}, {"argv", scheduler.loader}, {"root", scheduler.root.guest}}));
  return AwaitLoader(kLoaderName, before);
}

// It is the scheduler or its loader that is at fault, not the test.
void SchedulerStart::FireLoad(const std::string& what, const std::string& output) {
  const std::string last = LastLine(output);
  monitor_.Fire({.trigger = "scheduler-load",
                 .detail = what + (last.empty() ? "" : ": " + last),
                 .values = {{"error", what}, {"output", output}}});
}

Result<size_t> SchedulerStart::Count() {
  const json answer = KTSTR_TRY(monitor_.Ask("scheduler-state", json::object()));
  const json* files = JsonMember(answer, "sched_ext");
  // One that ends makes room for another.
  const bool enabled = files != nullptr && StringMember(*files, "state") == "enabled";
  return enabled ? SchedulersIn(*files) : 0;
}

Status SchedulerStart::AwaitLoader(const std::string& name, size_t before) {
  for (const Deadline deadline = After(kLoaderTimeout);;) {
    const json answer = KTSTR_TRY(monitor_.Ask("scheduler-state", json::object()));
    const json* files = JsonMember(answer, "sched_ext");
    if (monitor_.fired() || (files != nullptr && StringMember(*files, "state") == "enabled" &&
                             SchedulersIn(*files) > before)) {
      return {};
    }
    if (monitor_.PayloadEnded(name)) {
      FireLoad(fmt::format("the program {} ended, and no scheduler is enabled", name),
               StringMember(monitor_.PayloadEnd(name), "output"));
      return {};
    }
    if (After(milliseconds(0)) >= deadline) {
      const json programs = KTSTR_TRY(monitor_.Ask("workers", json::object()));
      std::string output;
      for (const json& payload : programs.value("payloads", json::array())) {
        if (StringMember(payload, "name") == name) output = StringMember(payload, "output");
      }
      FireLoad(fmt::format("the program {} enabled no scheduler within {} s", name,
                           kLoaderTimeout.count()),
               output);
      return {};
    }
    KTSTR_TRY(monitor_.WaitUntil(After(kLoaderPoll)));
  }
}

}  // namespace ktstr
