// ktstr-capture boot --kernel BZIMAGE -o FILE: boots a guest of ours, gives it something to do,
// captures it, and ends it.

#include <fmt/format.h>

#include <fstream>
#include <thread>

#include "ktstr/base/quantity.h"
#include "ktstr/capture/capture_command.h"
#include "ktstr/capture/command_line.h"
#include "ktstr/capture/guest/worker_catalog.h"
#include "ktstr/capture/guest_machine.h"

namespace ktstr {

namespace {

struct BootArguments {
  ArchiveArguments archive;
  MachineOptions machine;
  std::string memory = "512M";
  std::string work = "spin:2,sleep:3";
  std::string accelerator = "auto";
  std::string report;
  int run_for_ms = 500;
  bool no_kaslr = false;
};

const std::map<std::string, Accelerator> kAccelerators = {
    {"auto", Accelerator::kAuto}, {"kvm", Accelerator::kKvm}, {"tcg", Accelerator::kTcg}};

std::string WorkerKinds() {
  std::string names;
  for (const guest::WorkerEntry& entry : guest::kWorkerCatalog) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", entry.name);
  }
  return names;
}

void Tell(const std::string& step) { fmt::print(stderr, "{}\n", step); }

Status WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return Fail(ErrorCode::kIo, fmt::format("writing '{}' failed", path));
  return {};
}

Status WriteReport(GuestMachine& machine, const std::string& path) {
  const nlohmann::json report = KTSTR_TRY(machine.Report());
  return WriteText(path, report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Status Boot(BootArguments arguments) {
  arguments.machine.memory_bytes = KTSTR_TRY(ParseSize(arguments.memory));
  arguments.machine.accelerator = kAccelerators.at(arguments.accelerator);
  arguments.machine.kaslr = !arguments.no_kaslr;
  const auto workers = KTSTR_TRY(ParseWorkerSpecs(arguments.work));
  // Rather now than after the boot.
  KTSTR_TRY(ParseTags(arguments.archive.tags));
  KTSTR_TRY(CheckOutput(arguments.archive.output, arguments.archive.force));

  const auto machine =
      KTSTR_TRY(GuestMachine::Boot(arguments.machine, GuestMachine::Timeouts(), Tell));
  Tell("the guest is up; starting work: " + arguments.work);
  KTSTR_TRY(machine->StartWorkers(workers));
  std::this_thread::sleep_for(std::chrono::milliseconds(arguments.run_for_ms));
  if (!arguments.report.empty()) KTSTR_TRY(WriteReport(*machine, arguments.report));
  Tell("freezing the guest and writing " + arguments.archive.output);
  CaptureOptions options;
  options.then = AfterCapture::kQuit;
  options.pid = machine->qemu().pid();
  auto captured = RunCapture(machine->qmp(), arguments.archive, std::move(options));
  if (!captured) return Fail(machine->qemu().Explain(std::move(captured).error()));
  KTSTR_TRY(machine->qemu().Quit());
  return {};
}

}  // namespace

void AddBootCommand(CLI::App* app, Status* status) {
  CLI::App* boot = app->add_subcommand("boot", "Boot a guest, let it work, capture it, end it");
  auto arguments = std::make_shared<BootArguments>();
  MachineOptions& machine = arguments->machine;
  boot->add_option("--kernel", machine.kernel,
                   "The guest's kernel (bzImage); its modules are found beside it")
      ->type_name("BZIMAGE")
      ->required();
  AddArchiveOptions(boot, &arguments->archive);
  boot->get_option("--output")->required();
  boot->add_option("--cpus", machine.cpus, "Number of virtual CPUs")
      ->type_name("N")
      ->check(CLI::Range(1, 255).description(""))
      ->capture_default_str();
  boot->add_option("--memory", arguments->memory, "The guest's memory")
      ->type_name("SIZE")
      ->capture_default_str();
  boot->add_option("--cpu", machine.cpu_model,
                   "QEMU's CPU model; max,la57=off has four-level paging")
      ->type_name("MODEL")
      ->capture_default_str();
  boot->add_option("--accel", arguments->accelerator,
                   "auto takes KVM where a guest boots on it, TCG else")
      ->type_name("auto|kvm|tcg")
      ->check(CLI::IsMember(kAccelerators).description(""))
      ->capture_default_str();
  boot->add_option("--append", machine.kernel_cmdline, "Added to the kernel's command line")
      ->type_name("TEXT");
  boot->add_flag("--nokaslr", arguments->no_kaslr, "Leave the kernel at its linked address");
  boot->add_option("--work", arguments->work,
                   "What runs in the guest, KIND[:COUNT],… with the kinds " + WorkerKinds())
      ->type_name("LIST")
      ->capture_default_str();
  boot->add_option("--run-for", arguments->run_for_ms, "How long it works before it is frozen")
      ->type_name("MS")
      ->check(CLI::Range(0, 86'400'000).description(""))
      ->capture_default_str();
  boot->add_option("--report", arguments->report,
                   "Write what the guest's own /proc said just before, as JSON")
      ->type_name("FILE");
  boot->add_option("--console", machine.console, "Write the guest's serial console there")
      ->type_name("FILE");
  boot->callback([arguments, status] { *status = Boot(*arguments); });
}

}  // namespace ktstr
