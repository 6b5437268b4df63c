#include "capture/boot/guest_machine.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "capture/boot/boot_retry.h"
#include "capture/boot/cpio_writer.h"
#include "capture/boot/initramfs.h"
#include "capture/boot/kernel_image.h"
#include "capture/guest/protocol.h"
#include "capture/qemu/accelerator.h"
#include "capture/qemu/json_access.h"
#include "capture/system/memory_file.h"

namespace ktstr {

namespace {

using nlohmann::json;

// A QEMU that dies closes its sockets a moment before it can be waited for.
constexpr std::chrono::milliseconds kGuestDyingTimeout(500);

Result<UniqueFd> BuildInitramfs(const KernelImage& kernel, const std::vector<GuestFile>& files) {
  CpioWriter cpio;
  KTSTR_TRY(AddGuestBase(kernel, &cpio));
  KTSTR_TRY(AddGuestFiles(files, &cpio));
  return MakeMemoryFile("initramfs", std::move(cpio).Finish());
}

Result<WorkerSpec> ParseWorkerSpec(std::string_view text) {
  WorkerSpec spec;
  const size_t colon = std::min(text.find(':'), text.size());
  spec.kind = text.substr(0, colon);
  if (colon < text.size()) {
    const std::string_view count = text.substr(colon + 1);
    const auto [end, error] =
        std::from_chars(count.data(), count.data() + count.size(), spec.count);
    if (error != std::errc() || end != count.data() + count.size() || spec.count < 1) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("'{}' is no worker: write KIND or KIND:COUNT, such as spin:2", text));
    }
  }
  if (spec.kind.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "a worker without a kind: write KIND or KIND:COUNT, such as spin:2");
  }
  return spec;
}

// The line of a console that best tells what went wrong: the kernel's panic or our init's farewell,
// else the last one.
std::string TellingLine(std::string_view console) {
  std::string_view telling;
  while (!console.empty()) {
    const size_t end = std::min(console.find_first_of("\r\n"), console.size());
    const std::string_view line = console.substr(0, end);
    console.remove_prefix(std::min(end + 1, console.size()));
    if (line.find("Kernel panic") != line.npos || line.starts_with(guest::kFarewell)) {
      return std::string(line);
    }
    if (!line.empty()) telling = line;
  }
  return std::string(telling);
}

}  // namespace

Result<std::vector<WorkerSpec>> ParseWorkerSpecs(std::string_view text) {
  std::vector<WorkerSpec> specs;
  for (;;) {
    const size_t comma = std::min(text.find(','), text.size());
    specs.push_back(KTSTR_TRY(ParseWorkerSpec(text.substr(0, comma))));
    if (comma == text.size()) return specs;
    text.remove_prefix(comma + 1);
  }
}

Result<std::unique_ptr<GuestMachine>> GuestMachine::Boot(MachineOptions options,
                                                         const Timeouts& timeouts,
                                                         const Progress& progress) {
  return Boot(KTSTR_TRY(PlanBoot(std::move(options))), timeouts, progress);
}

Result<BootPlan> PlanBoot(MachineOptions options) {
  const KernelImage kernel = KTSTR_TRY(OpenKernelImage(options.kernel));
  BootPlan plan = {.options = std::move(options), .release = kernel.release};
  plan.initramfs = KTSTR_TRY(BuildInitramfs(kernel, plan.options.files));
  const AcceleratorChoice choice = KTSTR_TRY(ChooseAccelerator(plan.options));
  plan.options.accelerator = choice.accelerator;
  plan.accelerator_reason = choice.reason;
  return plan;
}

Result<std::unique_ptr<GuestMachine>> GuestMachine::Boot(const BootPlan& plan,
                                                         const Timeouts& timeouts,
                                                         const Progress& progress) {
  const MachineOptions& options = plan.options;
  const auto tell = [&](const std::string& step) {
    if (progress) progress(step);
  };
  tell(fmt::format("booting kernel {} with {} CPUs and {} MiB on {}{}", plan.release, options.cpus,
                   options.memory_bytes >> 20,
                   options.accelerator == Accelerator::kKvm ? "KVM" : "TCG",
                   plan.accelerator_reason.empty() ? "" : " (" + plan.accelerator_reason + ")"));

  for (int attempt = 1;; ++attempt) {
    std::unique_ptr<GuestMachine> machine(new GuestMachine);
    auto up = machine->Start(options, plan.initramfs.get(), timeouts);
    if (up) return machine;
    const bool timed_out = up.error().code() == ErrorCode::kTimeout;
    const std::string console = machine->qemu_ ? machine->qemu_->ConsoleTail() : "";
    const auto why = WhyBootAgain({.attempt = attempt,
                                   .accelerator = options.accelerator,
                                   .console = console,
                                   .qemu_status = machine->QemuStatus(),
                                   .timed_out = timed_out});
    if (!why) {
      return Fail(
          std::move(up).error().Wrap(fmt::format("the guest did not come up ({})", plan.release)));
    }
    tell(fmt::format("{}; booting the guest again", *why));
  }
}

Status GuestMachine::Start(const MachineOptions& options, int initramfs, const Timeouts& timeouts) {
  timeouts_ = timeouts;
  accelerator_ = options.accelerator;
  qemu_ = KTSTR_TRY(QemuProcess::Start(options, initramfs));
  channel_ = std::make_unique<GuestChannel>(qemu_->TakePort());
  auto hello = channel_->WaitForHello(After(timeouts.boot));
  if (!hello) return Fail(Explain(std::move(hello).error()));
  release_ = StringMember(*hello, "release");
  return {};
}

Result<std::unique_ptr<GuestMachine>> GuestMachine::Adopt(std::unique_ptr<QemuProcess> qemu,
                                                          Accelerator accelerator, Init init,
                                                          std::string release,
                                                          const Timeouts& timeouts) {
  std::unique_ptr<GuestMachine> machine(new GuestMachine);
  machine->timeouts_ = timeouts;
  machine->accelerator_ = accelerator;
  machine->release_ = std::move(release);
  machine->has_init_ = init == Init::kOurs;
  machine->qemu_ = std::move(qemu);
  machine->channel_ = std::make_unique<GuestChannel>(machine->qemu_->TakePort());
  if (machine->has_init_) KTSTR_TRY(machine->channel_->JoinInTheMiddle(After(timeouts.answer)));
  return machine;
}

bool GuestMachine::TrippedOverTcg() const {
  return qemu_ != nullptr && ShowsStaleBreakpoint(qemu_->ConsoleTail());
}

std::optional<int> GuestMachine::QemuStatus() {
  if (qemu_ == nullptr || !HasHungUp(qemu_->qmp().fd())) return std::nullopt;
  const auto status = qemu_->WaitForExit(After(kGuestDyingTimeout));
  return status ? std::optional(*status) : std::nullopt;
}

Error GuestMachine::Explain(Error error) {
  const std::string line = TellingLine(qemu_->ConsoleTail());
  Error explained = qemu_->Explain(std::move(error));
  if (line.empty()) return explained;
  return std::move(explained).Wrap(fmt::format("the guest's console says '{}'", line));
}

Result<json> GuestMachine::Ask(std::string_view verb, json arguments) {
  auto answer = channel_->Ask(verb, std::move(arguments), After(timeouts_.answer));
  // A refusal speaks for itself; the console tells more of a guest that is silent or gone.
  if (answer || (answer.error().code() == ErrorCode::kPeer && !HasHungUp(channel_->fd()))) {
    return answer;
  }
  return Fail(Explain(std::move(answer).error()));
}

json ToJson(const std::vector<WorkerSpec>& workers) {
  json list = json::array();
  for (const WorkerSpec& worker : workers) {
    json spec = *worker.parameters;
    spec["kind"] = worker.kind;
    spec["count"] = worker.count;
    if (!worker.name.empty()) spec["name"] = worker.name;
    list.push_back(std::move(spec));
  }
  return list;
}

Status GuestMachine::StartWorkers(const std::vector<WorkerSpec>& workers) {
  KTSTR_TRY(Ask("start", {{"workers", ToJson(workers)}}));
  return {};
}

Status GuestMachine::StopWorkers(const std::vector<std::string>& names) {
  KTSTR_TRY(Ask("stop", {{"workers", names}}));
  return {};
}

Result<json> GuestMachine::Workers() { return Ask("workers", json::object()); }

Status GuestMachine::StartPayload(const json& payload) {
  KTSTR_TRY(Ask("payload", payload));
  return {};
}

Status GuestMachine::WriteFile(const std::string& path, const std::string& text) {
  KTSTR_TRY(Ask("write-file", {{"path", path}, {"text", text}}));
  return {};
}

Result<json> GuestMachine::Report() { return Ask("report", json::object()); }

Result<json> GuestMachine::SystemAccount() {
  return KTSTR_TRY(Ask("system", json::object()))["system"];
}

Status GuestMachine::SetUpCgroup(const std::string& path) {
  return SetUpCgroup(path, json::object());
}

Status GuestMachine::SetUpCgroup(const std::string& path, const json& files) {
  KTSTR_TRY(Ask("cgroup", {{"path", path}, {"files", files}}));
  return {};
}

Result<json> GuestMachine::RunProgram(const std::vector<std::string>& argv,
                                      const std::string& input) {
  return Ask("run", {{"argv", argv}, {"stdin", input}});
}

Status GuestMachine::LoadScheduler(const std::string& object) {
  return LoadScheduler(object, json::object());
}

Status GuestMachine::LoadScheduler(const std::string& object, const json& variables) {
  KTSTR_TRY(Ask("scheduler-load", {{"object", object}, {"variables", variables}}));
  return {};
}

Status GuestMachine::SetSchedulerVariable(const std::string& name, const json& value) {
  KTSTR_TRY(Ask("scheduler-set", {{"variables", {{name, value}}}}));
  return {};
}

Result<json> GuestMachine::SchedulerState() { return Ask("scheduler-state", json::object()); }

Result<json> GuestMachine::UnloadScheduler() { return Ask("scheduler-unload", json::object()); }

Result<json> GuestMachine::WaitForSchedulerExit(Deadline deadline) {
  for (;;) {
    json event = KTSTR_TRY(channel_->NextEvent(deadline));
    if (StringMember(event, "event") == "scheduler-exit") return event;
  }
}

Result<int> GuestMachine::PowerOff() {
  KTSTR_TRY(Ask("bye", json::object()));
  const Deadline deadline = After(timeouts_.answer);
  // The QEMU of a machine that was woken stays when its guest has switched the machine off. Others
  // end, and where that comes first there is no answer.
  if (qmp().WaitForEvent("SHUTDOWN", deadline)) {
    const auto status = qmp().Execute("query-status");
    if (status && StringMember(*status, "status") == "shutdown") return qemu_->Quit();
  }
  return qemu_->WaitForExit(deadline);
}

}  // namespace ktstr
