#include <fmt/format.h>

#include "capture/run/kernel_choice.h"
#include "capture/run/own_place.h"
#include "capture/run/program_files.h"
#include "capture/run/test_run.h"

namespace ktstr {

namespace {

namespace fs = std::filesystem;

Error AtLine(const Scenario& scenario, int line, const Error& error) {
  const std::string file = scenario.file.string();
  return Error(ErrorCode::kInvalidArgument,
               line > 0 ? fmt::format("{}:{}: {}", file, line, error.ToString())
                        : fmt::format("{}: {}", file, error.ToString()));
}

void AddFile(GuestFile file, MachineOptions* machine) {
  for (const GuestFile& there : machine->files) {
    if (there.guest == file.guest) return;
  }
  machine->files.push_back(std::move(file));
}

Status AddProgram(const fs::path& program, MachineOptions* machine) {
  for (GuestFile& file : KTSTR_TRY(ProgramFiles(program))) AddFile(std::move(file), machine);
  return {};
}

Status ResolveScheduler(SchedulerSpec* scheduler, MachineOptions* machine) {
  if (!scheduler->loader.empty()) {
    scheduler->loader[0] = fs::absolute(scheduler->loader[0]).lexically_normal().string();
    return AddProgram(scheduler->loader[0], machine);
  }
  fs::path object = scheduler->object;
  if (scheduler->object.find('/') == std::string::npos) {
    object = KTSTR_TRY(OwnScheduler(scheduler->object));
  } else if (!fs::exists(object)) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no BPF object '{}'", object.string()));
  }
  scheduler->object = "/schedulers/" + object.filename().string();
  AddFile({object, scheduler->object}, machine);
  return {};
}

Status ResolvePayload(PayloadSpec* payload, MachineOptions* machine) {
  payload->program = fs::absolute(payload->program).lexically_normal();
  KTSTR_TRY(AddProgram(payload->program, machine));
  for (const GuestFile& file : payload->files) AddFile(file, machine);
  return {};
}

}  // namespace

Result<Scenario> ResolveScenario(Scenario scenario) {
  auto kernel = ResolveKernel(scenario.kernel);
  if (!kernel) return Fail(AtLine(scenario, scenario.kernel_line, kernel.error()));
  scenario.machine.kernel = *kernel;
  if (scenario.scheduler) {
    auto resolved = ResolveScheduler(&*scenario.scheduler, &scenario.machine);
    if (!resolved) return Fail(AtLine(scenario, scenario.scheduler_line, resolved.error()));
  }
  for (PayloadSpec& payload : scenario.payloads) {
    auto resolved = ResolvePayload(&payload, &scenario.machine);
    if (!resolved) return Fail(AtLine(scenario, 0, resolved.error()));
  }
  return scenario;
}

}  // namespace ktstr
