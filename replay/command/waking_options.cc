#include "replay/command/waking_options.h"

#include <fmt/format.h>

#include "capture/scenario/scenario_reader.h"
#include "libcore/base/quantity.h"
#include "replay/command/machine_options.h"

namespace ktstr {

namespace {

std::vector<std::string> TriggerNames() {
  std::vector<std::string> names;
  for (const TriggerEntry& entry : kTriggerCatalog) names.emplace_back(entry.name);
  return names;
}

}  // namespace

void AddRunOptions(Options* command, WakingArguments* arguments) {
  AddArchive(command, &arguments->archive);
  command->Add("--for", &arguments->run_for, "How long it runs, such as 3s").TypeName("DURATION");
  command
      ->Add("--until", &arguments->until,
            "It runs until that trigger strikes (stall,over=2s; write,symbol=NAME; "
            "scheduler-exit; all are in ktstr-run --reference)")
      .TypeName("TRIGGER")
      .Offer(TriggerNames);
}

void AddQemuOptions(Options* command, WakingArguments* arguments) {
  command->Add("--disks", &arguments->with_disks,
               "Give it its disks as they are now; what it writes is lost");
  command
      ->Add("--qemu", &arguments->qemu, "The QEMU to take; else one of the version that it ran on")
      .TypeName("PROGRAM");
  command->Add("--any-cpu", &arguments->any_cpu,
               "Wake it also on a CPU that lacks features which the guest has found");
  command->Add("--accel", &arguments->accelerator, "What it runs on; auto is what it ran on")
      .TypeName("auto|kvm|tcg")
      .OneOf({"auto", "kvm", "tcg"})
      .ShowDefault();
}

Result<RunOnPlan> PlanOf(const WakingArguments& arguments) {
  RunOnPlan plan;
  if (!arguments.run_for.empty()) plan.run_for = KTSTR_TRY(ParseDuration(arguments.run_for));
  if (!arguments.until.empty()) plan.until = KTSTR_TRY(ParseTrigger(arguments.until));
  return plan;
}

WakeOptions WakeOptionsOf(const WakingArguments& arguments) {
  WakeOptions options;
  options.qemu = arguments.qemu;
  options.accelerator = arguments.accelerator == "kvm"   ? Accelerator::kKvm
                        : arguments.accelerator == "tcg" ? Accelerator::kTcg
                                                         : Accelerator::kAuto;
  options.with_disks = arguments.with_disks;
  options.any_cpu = arguments.any_cpu;
  return options;
}

Result<const Interrupt*> InterruptOfProcess() {
  // Its thread waits for signals as long as the process lives.
  return KTSTR_TRY(Interrupt::FromSignals()).release();
}

void TellStep(const std::string& line) { fmt::print(stderr, "{}\n", line); }

void TellWoken(const WokenRun& run, const std::string& archive,
               std::chrono::steady_clock::time_point begun) {
  TellStep(fmt::format("woke {} on QEMU {} ({}) in {}", archive, run.qemu_version(),
                       run.accelerator() == Accelerator::kKvm ? "KVM" : "TCG",
                       FormatDuration(std::chrono::steady_clock::now() - begun)));
  for (const std::string& note : run.notes()) TellStep("note: " + note);
}

void TellEnd(const RunOnEnd& end) {
  if (end.trigger == "resumed") return;
  TellStep(end.detail.empty() ? end.trigger : fmt::format("{}: {}", end.trigger, end.detail));
}

}  // namespace ktstr
