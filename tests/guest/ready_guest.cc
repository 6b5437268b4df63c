#include "ready_guest.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <utility>

#include "capture/qemu/qmp_client.h"
#include "capture/run/warm_start.h"

namespace ktstr {

namespace {

// Null when there is none, or none that wakes.
std::unique_ptr<GuestMachine> WakeWarm(const std::filesystem::path& state,
                                       const MachineOptions& options) {
  auto woken = WakeWarmState(state, options.console);
  if (woken && *woken != nullptr) {
    const auto runs = (*woken)->qmp().Execute("cont");
    if (!runs) woken = Fail(runs.error());
  }
  if (woken) return *std::move(woken);
  std::fprintf(stderr, "a warmed-up state cannot be woken: %s\n", woken.error().ToString().c_str());
  return nullptr;
}

Result<std::unique_ptr<GuestMachine>> WakeOrBoot(const MachineOptions& options) {
  const BootPlan plan = KTSTR_TRY(PlanBoot(options));
  const auto states = KTSTR_TRY(WarmStates::Of(plan));
  const bool cold = std::getenv("KTSTR_TEST_COLD") != nullptr;
  if (!cold) {
    if (auto woken = WakeWarm(states.Booted(), options)) return woken;
  }
  auto booted = KTSTR_TRY(GuestMachine::Boot(plan, GuestMachine::Timeouts(), nullptr));
  if (!cold && !states.Booted().empty()) KTSTR_TRY(KeepWarmState(*booted, states.Booted()));
  return booted;
}

}  // namespace

Result<std::unique_ptr<GuestMachine>> ReadyGuest(
    const MachineOptions& options, const std::function<Status(GuestMachine&)>& prepare) {
  auto machine = KTSTR_TRY(WakeOrBoot(options));
  for (int attempt = 1;; ++attempt) {
    const Status ready = prepare(*machine);
    if (ready) return machine;
    if (attempt == 3 || !machine->TrippedOverTcg()) return Fail(ready.error());
    machine = KTSTR_TRY(GuestMachine::Boot(options));
  }
}

Result<std::unique_ptr<GuestMachine>> BootWithWork(const MachineOptions& options,
                                                   const char* work) {
  const auto workers = KTSTR_TRY(ParseWorkerSpecs(work));
  return ReadyGuest(options, [&](GuestMachine& machine) { return machine.StartWorkers(workers); });
}

}  // namespace ktstr
