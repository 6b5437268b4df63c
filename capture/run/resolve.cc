#include <fmt/format.h>

#include <map>

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

// The directories that programs take for "/", each of which is one in the guest, too.
class Roots {
 public:
  std::string InGuest(const fs::path& host) {
    const auto [found, fresh] = names_.try_emplace(host, fmt::format("/roots/{}", names_.size()));
    return found->second;
  }

 private:
  std::map<fs::path, std::string> names_;
};

// Adds a program, and what else it needs; returns where the program finds itself.
Result<fs::path> AddProgram(const fs::path& program, const std::vector<GuestFile>& others,
                            ProgramRoot* root, Roots* roots, MachineOptions* machine) {
  std::vector<GuestFile> files;
  fs::path seen = fs::absolute(program).lexically_normal();
  if (root->host.empty()) {
    files = KTSTR_TRY(ProgramFiles(program));
  } else {
    root->guest = roots->InGuest(root->host);
    files = KTSTR_TRY(ProgramFiles(program, root->host));
    seen = SeenInRoot(program, root->host);
  }
  files.insert(files.end(), others.begin(), others.end());
  for (GuestFile& file : files) {
    file.guest.insert(0, root->guest);
    AddFile(std::move(file), machine);
  }
  return seen;
}

Status ResolveScheduler(SchedulerSpec* scheduler, Roots* roots, MachineOptions* machine) {
  if (!scheduler->loader.empty()) {
    scheduler->loader[0] = KTSTR_TRY(AddProgram(scheduler->loader[0], scheduler->files,
                                                &scheduler->root, roots, machine))
                               .string();
    return {};
  }
  for (const GuestFile& file : scheduler->files) AddFile(file, machine);
  fs::path object = scheduler->object;
  if (scheduler->object.find('/') == std::string::npos) {
    object = KTSTR_TRY(OwnScheduler(scheduler->object));
  } else if (std::error_code failed; !fs::exists(object, failed) && !failed) {
    return Fail(ErrorCode::kNotFound, fmt::format("there is no BPF object '{}'", object.string()));
  }
  scheduler->object = "/schedulers/" + object.filename().string();
  AddFile({object, scheduler->object}, machine);
  return {};
}

Status ResolvePayload(PayloadSpec* payload, Roots* roots, MachineOptions* machine) {
  payload->program =
      KTSTR_TRY(AddProgram(payload->program, payload->files, &payload->root, roots, machine));
  return {};
}

}  // namespace

Result<Scenario> ResolveScenario(Scenario scenario) {
  auto kernel = ResolveKernel(scenario.kernel);
  if (!kernel) return Fail(AtLine(scenario, scenario.kernel_line, kernel.error()));
  scenario.machine.kernel = *kernel;
  Roots roots;
  if (scenario.scheduler) {
    auto resolved = ResolveScheduler(&*scenario.scheduler, &roots, &scenario.machine);
    if (!resolved) return Fail(AtLine(scenario, scenario.scheduler_line, resolved.error()));
  }
  for (PayloadSpec& payload : scenario.payloads) {
    auto resolved = ResolvePayload(&payload, &roots, &scenario.machine);
    if (!resolved) return Fail(AtLine(scenario, 0, resolved.error()));
  }
  return scenario;
}

}  // namespace ktstr
