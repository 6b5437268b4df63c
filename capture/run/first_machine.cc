#include "capture/run/first_machine.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "capture/run/warm_start.h"

namespace ktstr {

namespace fs = std::filesystem;
using nlohmann::json;

FirstMachine::FirstMachine(const Scenario& scenario, const TestOptions& options, TestLog& log,
                           std::function<void(const std::string&)> tell)
    : scenario_(scenario), options_(options), log_(log), tell_(std::move(tell)) {}

Result<std::unique_ptr<GuestMachine>> FirstMachine::Get(const MachineOptions& machine) {
  began_from_.clear();
  if (options_.resume.empty()) return BootOrWake(machine);
  tell_("waking " + options_.resume.string());
  auto woken = KTSTR_TRY(WakeGuest(options_.resume, machine.console));
  began_from_ = options_.resume.string();
  return woken;
}

// Of a machine that was kept when it had its scheduler, or had booted, what is left is to be done.
Result<std::unique_ptr<GuestMachine>> FirstMachine::BootOrWake(const MachineOptions& machine) {
  const BootPlan plan = KTSTR_TRY(PlanBoot(machine));
  if (options_.cold) return GuestMachine::Boot(plan, GuestMachine::Timeouts(), tell_);
  const WarmStates states = KTSTR_TRY(WarmStates::Of(plan));
  const std::string done = SetUpThatCanBeKept();
  if (!done.empty()) {
    if (auto woken = WakeWarm(states.After(done), "with its scheduler", machine)) {
      has_scheduler_ = true;
      return woken;
    }
    keep_with_scheduler_ = states.After(done);
  }
  if (auto woken = WakeWarm(states.Booted(), "that has booted", machine)) return woken;
  auto booted = KTSTR_TRY(GuestMachine::Boot(plan, GuestMachine::Timeouts(), tell_));
  KeepWarm(*booted, states.Booted(), {});
  return booted;
}

// What a test does first, up to its scheduler, in words that are the same for tests in which it is
// the same. Empty when there is no such thing, or a program of the user's does it.
std::string FirstMachine::SetUpThatCanBeKept() const {
  if (!scenario_.scheduler || scenario_.scheduler->object.empty()) return "";
  json done = {{"object", scenario_.scheduler->object},
               {"variables", *scenario_.scheduler->variables},
               {"cgroups", json::array()}};
  for (const CgroupSpec& cgroup : scenario_.cgroups) {
    done["cgroups"].push_back({{"path", cgroup.path}, {"files", *cgroup.files}});
  }
  return done.dump();
}

// Null when there is no such state, or none that can be woken: it is then removed.
std::unique_ptr<GuestMachine> FirstMachine::WakeWarm(const fs::path& state, std::string_view what,
                                                     const MachineOptions& machine) {
  std::error_code ignored;
  if (state.empty() || !fs::exists(state, ignored)) return nullptr;
  tell_(fmt::format("waking a machine {}, on TCG (--cold boots it)", what));
  auto woken = WakeWarmState(state, machine.console);
  if (!woken) {
    log_.Add("it cannot be woken: " + woken.error().ToString());
    return nullptr;
  }
  if (*woken == nullptr) return nullptr;
  began_from_ = "a warmed-up state";
  return *std::move(woken);
}

void FirstMachine::KeepWarm(GuestMachine& machine, const fs::path& state,
                            const std::vector<PlantedByte>& planted) {
  if (state.empty()) return;
  if (const auto kept = KeepWarmState(machine, state, planted); !kept) {
    log_.Add("the machine is not kept for the next test: " + kept.error().ToString());
  }
}

void FirstMachine::KeepWithScheduler(GuestMachine& machine,
                                     const std::vector<PlantedByte>& planted) {
  KeepWarm(machine, keep_with_scheduler_, planted);
}

}  // namespace ktstr
