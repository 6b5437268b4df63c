// Watches a running test: waits for time to pass and for answers of the guest's, and meanwhile for
// everything that a trigger of the scenario's can be struck by. Operations that programs of the
// guest's ask for (/ktstr/ops) are served between.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "capture/boot/guest_machine.h"
#include "capture/ops_server.h"
#include "capture/qemu/json_value.h"
#include "capture/run/code_triggers.h"
#include "capture/run/fired.h"
#include "capture/run/interrupt.h"
#include "capture/run/sample_triggers.h"
#include "capture/system/deadline.h"
#include "capture/watch/running_kernel.h"
#include "capture/watch/sampler.h"

namespace ktstr {

class Monitor {
 public:
  // Keeps the machine of a trigger that does not end the test; it stands still or not as it did
  // when the trigger struck.
  using Keep = std::function<Status(const Fired&)>;

  // Finds the kernel of a machine that is up (made with gdb_stub and GuestEnd::kPause), and arms
  // the triggers. `timeout` counts from now. All arguments must outlive it. Errors: as
  // RunningKernel::Open, Sampler::Make, CodeTriggers::Arm.
  static Result<std::unique_ptr<Monitor>> Start(GuestMachine& machine,
                                                const std::vector<TriggerSpec>& triggers,
                                                std::chrono::microseconds timeout,
                                                const Interrupt& interrupt, Keep keep);

  // Each of these returns at once when a trigger has struck that ends the test: see fired().

  // Waits until the deadline, or until `done` (looked at after each thing that happens) is true.
  // Errors: those of QEMU and of `keep`.
  Status WaitUntil(Deadline deadline, const std::function<bool()>& done = nullptr);
  // Asks the guest and waits for its answer; null when a trigger struck first. Errors: kPeer when
  // the guest refuses, those of WaitUntil.
  Result<nlohmann::json> Ask(std::string_view verb, nlohmann::json arguments);

  // Says that a phase begins: triggers that are counted from it are due from now on. The first one
  // lets periodic ones begin.
  void PhaseBegins(const std::string& name);

  // Whether a payload of that name has ended, and how: the guest's event, null when it has not.
  bool PayloadEnded(const std::string& name) const { return ended_payloads_.contains(name); }
  nlohmann::json PayloadEnd(const std::string& name) const;

  // The trigger that ended the test.
  const std::optional<Fired>& fired() const { return fired_; }
  void Fire(Fired fired);

  const GuestKernel& kernel() const { return running_->kernel(); }
  // The breakpoints that it has put into the guest's text: what captures the guest hides them.
  const std::vector<PlantedByte>& planted() const { return code_->planted(); }
  // As CodeTriggers::TakeChanges. The machine must stand still.
  std::vector<std::string> TakeChanges() { return code_->TakeChanges(); }
  // How long the guest has been up, by its own clock; nothing when that cannot be read.
  std::optional<int64_t> GuestTimeNs();

 private:
  using Clock = std::chrono::steady_clock;

  Monitor(GuestMachine& machine, const std::vector<TriggerSpec>& triggers,
          const Interrupt& interrupt, Keep keep);
  const TriggerSpec& Spec(TriggerKind kind) const;
  Status Strike(Fired fired);  // one that may or may not end the test

  Status Drain();
  Status DrainGuest();
  Status DrainStops();
  Status DrainQmp();
  Status DrainOps();
  Status TakeEvent(const nlohmann::json& event);
  Status TakeWorkers(const nlohmann::json& workers);
  Status LookAround();
  Status Beat(Clock::time_point now);
  Status Timed(Clock::time_point now);
  Deadline NextDue(Deadline deadline) const;
  void Poll(Deadline deadline);

  GuestMachine& machine_;
  const std::vector<TriggerSpec>& triggers_;
  const Interrupt& interrupt_;
  Keep keep_;

  std::optional<RunningKernel> running_;
  std::unique_ptr<Sampler> sampler_;
  SampleTriggers samples_;
  std::unique_ptr<GdbStub> stub_;
  std::optional<CodeTriggers> code_;
  std::optional<OpsServer> ops_;  // nothing once the guest has closed its end

  Deadline timeout_, next_sample_, next_beat_;
  std::chrono::milliseconds sample_interval_, beat_interval_;
  std::optional<int64_t> beat_;  // the number of the question that is out
  Clock::time_point beat_sent_;
  bool gaps_wanted_ = false;
  std::map<size_t, Deadline> timed_;  // when those of time are due, by index in triggers_
  bool phases_begun_ = false;
  std::map<std::string, int> kept_;  // how often a trigger that does not end the test was kept
  std::map<std::string, JsonValue> ended_payloads_;
  std::optional<Fired> fired_;
};

}  // namespace ktstr
