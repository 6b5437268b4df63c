// ktstr-capture boot --kernel BZIMAGE -o FILE: boots a guest of ours, gives it something to do,
// captures it, and ends it.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "capture/boot/guest_machine.h"
#include "capture/command/capture_command.h"
#include "capture/command/command_line.h"
#include "capture/guest/worker_catalog.h"
#include "libcore/base/quantity.h"
#include "libcore/base/text_file.h"

namespace ktstr {

namespace {

struct BootArguments {
  ArchiveArguments archive;
  MachineOptions machine;
  std::string kernel, console;
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
  return WriteTextFile(path, text);
}

Status WriteReport(GuestMachine& machine, const std::string& path) {
  const nlohmann::json report = KTSTR_TRY(machine.Report());
  return WriteText(path, report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

Status Boot(BootArguments arguments) {
  arguments.machine.memory_bytes = KTSTR_TRY(ParseSize(arguments.memory));
  arguments.machine.accelerator = kAccelerators.at(arguments.accelerator);
  arguments.machine.kernel = arguments.kernel;
  arguments.machine.console = arguments.console;
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

void DeclareBoot(Options* boot, Status* status) {
  auto arguments = std::make_shared<BootArguments>();
  MachineOptions& machine = arguments->machine;
  boot->Add("--kernel", &arguments->kernel,
            "The guest's kernel (bzImage); its modules are found beside it")
      .TypeName("BZIMAGE")
      .Required();
  AddArchiveOptions(boot, &arguments->archive);
  boot->Find("--output")->Required();
  boot->Add("--cpus", &machine.cpus, "Number of virtual CPUs")
      .TypeName("N")
      .Between(1, 255)
      .ShowDefault();
  boot->Add("--memory", &arguments->memory, "The guest's memory").TypeName("SIZE").ShowDefault();
  boot->Add("--cpu", &machine.cpu_model, "QEMU's CPU model; max,la57=off has four-level paging")
      .TypeName("MODEL")
      .ShowDefault();
  boot->Add("--accel", &arguments->accelerator,
            "auto takes KVM where a guest boots on it, TCG else")
      .TypeName("auto|kvm|tcg")
      .OneOf({"auto", "kvm", "tcg"})
      .ShowDefault();
  boot->Add("--append", &machine.kernel_cmdline, "Added to the kernel's command line")
      .TypeName("TEXT");
  boot->Add("--nokaslr", &arguments->no_kaslr, "Leave the kernel at its linked address");
  boot->Add("--work", &arguments->work,
            "What runs in the guest, KIND[:COUNT],… with the kinds " + WorkerKinds())
      .TypeName("LIST")
      .ShowDefault();
  boot->Add("--run-for", &arguments->run_for_ms, "How long it works before it is frozen")
      .TypeName("MS")
      .Between(0, 86'400'000)
      .ShowDefault();
  boot->Add("--report", &arguments->report,
            "Write what the guest's own /proc said just before, as JSON")
      .TypeName("FILE");
  boot->Add("--console", &arguments->console, "Write the guest's serial console there")
      .TypeName("FILE");
  boot->SetFooter(kProgramFooter);
  boot->OnChosen([arguments, status] { *status = Boot(*arguments); });
}

}  // namespace

void AddBootCommand(Options* app, Status* status) {
  app->AddSubcommand("boot", "Boot a guest, let it work, capture it, end it",
                     [status](Options* boot) { DeclareBoot(boot, status); });
}

}  // namespace ktstr
