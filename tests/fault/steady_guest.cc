#include "steady_guest.h"

#include <nlohmann/json.hpp>

#include "../guest/guest_tests.h"

namespace ktstr {

namespace {

constexpr std::chrono::minutes kPatience(1);

}  // namespace

Result<std::unique_ptr<SteadyGuest>> SteadyGuest::Boot() {
  std::unique_ptr<SteadyGuest> guest(new SteadyGuest);
  MachineOptions options = Machine();
  options.accelerator = Accelerator::kTcg;
  options.cpus = 1;
  options.memory_bytes = 256 * kMiB;
  options.qmp_socket = guest->socket();
  guest->machine_ = KTSTR_TRY(BootWithWork(options, "sleep:3,bursty"));
  return guest;
}

std::string SteadyGuest::WhoStands() {
  std::string standing = "nobody was asked";
  for (const Deadline end = After(kPatience); PollTimeout(end) > 0 && !standing.empty();) {
    const auto report = machine_->Report();
    if (!report) return report.error().ToString();
    standing.clear();
    std::map<std::string, uint64_t> rounds;
    for (const auto& worker : (*report)["workers"]) {
      const std::string name = worker["name"];
      rounds[name] = worker["rounds"];
      if (rounds[name] <= rounds_[name]) standing += (standing.empty() ? "" : ", ") + name;
    }
    if (standing.empty()) rounds_ = std::move(rounds);
  }
  return standing;
}

Result<std::chrono::nanoseconds> SteadyGuest::Clock() {
  const auto report = KTSTR_TRY(machine_->Report());
  return std::chrono::nanoseconds(report["account"]["after"]["monotonic_ns"].get<int64_t>());
}

}  // namespace ktstr
