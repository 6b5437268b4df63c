// The machine that a test begins with: booted, woken from a state that was kept warm of the same
// machine, or the frozen one that the user named.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/capture.h"
#include "capture/run/test_log.h"
#include "capture/run/test_run.h"

namespace ktstr {

class FirstMachine {
 public:
  // `tell` is told of each step. All arguments must outlive this object.
  FirstMachine(const Scenario& scenario, const TestOptions& options, TestLog& log,
               std::function<void(const std::string&)> tell);

  // Errors: those of PlanBoot, GuestMachine::Boot and, for what the user named, WakeGuest.
  Result<std::unique_ptr<GuestMachine>> Get(const MachineOptions& machine);

  // What was woken, in the words of TestResult; empty when the machine was booted.
  const std::string& began_from() const { return began_from_; }
  // Whether it was woken with its cgroups and its scheduler.
  bool has_scheduler() const { return has_scheduler_; }
  // The machine has them now: keeps it for the next test, where that is wanted.
  void KeepWithScheduler(GuestMachine& machine, const std::vector<PlantedByte>& planted);

 private:
  Result<std::unique_ptr<GuestMachine>> BootOrWake(const MachineOptions& machine);
  std::string SetUpThatCanBeKept() const;
  std::unique_ptr<GuestMachine> WakeWarm(const std::filesystem::path& state, std::string_view what,
                                         const MachineOptions& machine);
  void KeepWarm(GuestMachine& machine, const std::filesystem::path& state,
                const std::vector<PlantedByte>& planted);

  const Scenario& scenario_;
  const TestOptions& options_;
  TestLog& log_;
  std::function<void(const std::string&)> tell_;
  std::string began_from_;
  bool has_scheduler_ = false;
  std::filesystem::path keep_with_scheduler_;  // empty: nowhere
};

}  // namespace ktstr
