// A guest of ours: a kernel with our init in a QEMU of ours, told what to run.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture/boot/guest_channel.h"
#include "capture/qemu/qemu_process.h"
#include "libcore/base/result.h"

namespace ktstr {

// Workers of one kind (capture/guest/workers).
struct WorkerSpec {
  std::string kind;
  int count = 1;
  std::string name = "";                            // the kind's name when empty
  JsonValue parameters = JsonValue::EmptyObject();  // the kind's own, such as {"us": 500}

  friend bool operator==(const WorkerSpec&, const WorkerSpec&) = default;
};

// As the guest's verb "start" takes them.
nlohmann::json ToJson(const std::vector<WorkerSpec>& workers);

// "spin:2,sleep:3,yield" as two spinners, three sleepers and one that yields. Errors:
// kInvalidArgument; which kinds there are only the guest knows.
Result<std::vector<WorkerSpec>> ParseWorkerSpecs(std::string_view text);

// A machine to boot, with all decided that has to be.
struct BootPlan {
  MachineOptions options;  // the accelerator is never kAuto
  std::string release;     // of the kernel
  UniqueFd initramfs;
  std::string accelerator_reason;  // why it is TCG, when it was not asked for
};

// Errors: kNotFound and kUnsupported for the kernel, kIo, those of ChooseAccelerator.
Result<BootPlan> PlanBoot(MachineOptions options);

class GuestMachine {
 public:
  struct Timeouts {
    std::chrono::milliseconds boot = std::chrono::seconds(120);
    std::chrono::milliseconds answer = std::chrono::seconds(60);
  };
  // Told of each step as it begins, such as "booting kernel 6.12…".
  using Progress = std::function<void(const std::string&)>;

  // Boots options.kernel with our init and waits until it answers. kAuto is decided here. Errors:
  // kNotFound and kUnsupported for the kernel, kIo, kPeer with what QEMU or the guest's console
  // said last, kTimeout.
  static Result<std::unique_ptr<GuestMachine>> Boot(MachineOptions options,
                                                    const Timeouts& timeouts,
                                                    const Progress& progress = nullptr);
  static Result<std::unique_ptr<GuestMachine>> Boot(const BootPlan& plan, const Timeouts& timeouts,
                                                    const Progress& progress);
  static Result<std::unique_ptr<GuestMachine>> Boot(MachineOptions options) {
    return Boot(std::move(options), Timeouts());
  }

  // A guest that is there already, in a QEMU of ours: it need not run yet. `init` says whether our
  // init is in it and its port leads to us; `release` is its kernel's, empty where nobody knows it.
  // Errors: kPeer, kTimeout.
  enum class Init : uint8_t { kOurs, kNone };
  static Result<std::unique_ptr<GuestMachine>> Adopt(std::unique_ptr<QemuProcess> qemu,
                                                     Accelerator accelerator, Init init,
                                                     std::string release, const Timeouts& timeouts);
  // Whether there is somebody to ask: without, everything from here to PowerOff fails with
  // kTimeout.
  bool has_init() const { return has_init_; }

  // Starts workers; returns when every one of them runs. Errors: kPeer, kTimeout.
  Status StartWorkers(const std::vector<WorkerSpec>& workers);
  // Ends the workers of these names. Errors: kPeer when one of them has none that runs, kTimeout.
  Status StopWorkers(const std::vector<std::string>& names);
  // {"workers": an object per task (guest/worker_pool.h), "payloads": one per payload
  // (guest/payload_pool.h)}. Errors: kPeer, kTimeout.
  Result<nlohmann::json> Workers();
  // Starts a program of the guest's (MachineOptions::files), described as guest/payload_pool.h
  // says. Errors: kPeer, kTimeout.
  Status StartPayload(const nlohmann::json& payload);
  // Writes to a file of the guest's, in one write by a process of its own. Errors: kPeer with the
  // guest's reason, kTimeout.
  Status WriteFile(const std::string& path, const std::string& text);
  // The guest's own account of itself: {"account": {"tasks": […], …}, "workers": […]}
  // (guest/proc_account.h). Errors: kPeer, kTimeout.
  Result<nlohmann::json> Report();
  // What the guest says of its cgroups, CPUs and timers (guest/system_account.h). Errors: kPeer,
  // kTimeout.
  Result<nlohmann::json> SystemAccount();
  // Makes the cgroup (v2) at `path`, such as "/a/b", if it is not there, and writes its files:
  // {"cpu.weight": "200", "cgroup.procs": [12, 13]} (guest/cgroup.h). Errors: kPeer with what the
  // kernel refused, kTimeout.
  Status SetUpCgroup(const std::string& path);
  Status SetUpCgroup(const std::string& path, const nlohmann::json& files);
  // Runs a program of the initramfs to its end: {"status": as waitpid tells it, "stdout": text}.
  // Errors: kPeer, kTimeout.
  Result<nlohmann::json> RunProgram(const std::vector<std::string>& argv, const std::string& input);
  // Loads a sched_ext scheduler: a BPF object in the guest (MachineOptions::files) whose global
  // variables get the values of `variables`, an object by name; a member of its struct_ops is
  // "vtime_ops.timeout_ms". Returns when it is enabled; init then runs above it, in the class rt.
  // Errors: kPeer with the verifier's words, the exit's, or the names nearest to an unknown one;
  // kTimeout.
  Status LoadScheduler(const std::string& object);
  Status LoadScheduler(const std::string& object, const nlohmann::json& variables);
  // Sets a variable of the loaded scheduler while it runs. Errors: kPeer, kTimeout.
  Status SetSchedulerVariable(const std::string& name, const nlohmann::json& value);
  // {"sched_ext": the text of each file below /sys/kernel/sched_ext, "object": path or null,
  // "variables": {name: value}, "exit": null or {"kind", "code", "reason", "message", "dump"}, as
  // the scheduler's own exit callback kept them in variables exited, exit_kind, …}. Errors: kPeer,
  // kTimeout.
  Result<nlohmann::json> SchedulerState();
  // Disables and unloads it; returns its last state. Errors: kPeer, kTimeout.
  Result<nlohmann::json> UnloadScheduler();
  // Waits until a loaded scheduler has ended by itself, and returns its state then. Other events
  // that arrive before are dropped. Errors: kPeer, kTimeout.
  Result<nlohmann::json> WaitForSchedulerExit(Deadline deadline);
  // Lets init switch the machine off, and waits until QEMU has ended: its wait status. Errors:
  // kPeer, kTimeout.
  Result<int> PowerOff();

  // Whether the kernel died of a fault of QEMU's TCG (ShowsStaleBreakpoint in boot_retry.h). Seen
  // where code is changed at boot (Boot then tries again) or when a feature is first used, on a
  // busy host.
  bool TrippedOverTcg() const;

  QemuProcess& qemu() { return *qemu_; }
  QmpClient& qmp() { return qemu_->qmp(); }
  GuestChannel& channel() { return *channel_; }
  // What it runs on, never kAuto.
  Accelerator accelerator() const { return accelerator_; }
  // As the guest's uname says; empty where it is not known.
  const std::string& release() const { return release_; }

 private:
  GuestMachine() = default;
  Status Start(const MachineOptions& options, int initramfs, const Timeouts& timeouts);
  // QEMU's wait status when it has ended, or just does.
  std::optional<int> QemuStatus();
  // The error, with what QEMU or the console said last.
  Error Explain(Error error);
  Result<nlohmann::json> Ask(std::string_view verb, nlohmann::json arguments);

  std::unique_ptr<QemuProcess> qemu_;
  std::unique_ptr<GuestChannel> channel_;
  Accelerator accelerator_ = Accelerator::kTcg;
  std::string release_;
  Timeouts timeouts_;
  bool has_init_ = true;
};

}  // namespace ktstr
